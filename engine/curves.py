"""Curves that values are bent by."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", float, NDArray[np.float32])
KNEE = 0.7  # share of the limit up to which nothing changes


def soft_limit(value: float, limit: float) -> float:
    """`value` up to 70 % of `limit`, then a smooth approach to it, on both sides of 0."""
    knee = KNEE * limit
    over = abs(value) - knee
    if over <= 0:
        return value
    room = limit - knee
    return float(np.sign(value)) * (knee + room * (1 - np.exp(-over / room)))


def smoothstep(x: Value) -> Value:
    """0 up to 0, 1 from 1, without a corner between."""
    inside = min(max(x, 0.0), 1.0) if isinstance(x, float) else np.clip(x, 0, 1)
    return inside * inside * (3 - 2 * inside)

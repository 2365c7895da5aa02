"""Limits that are approached, not run into."""

from __future__ import annotations

import numpy as np

KNEE = 0.7  # share of the limit up to which nothing changes


def soft_limit(value: float, limit: float) -> float:
    """`value` up to 70 % of `limit`, then a smooth approach to it, on both sides of 0."""
    knee = KNEE * limit
    over = abs(value) - knee
    if over <= 0:
        return value
    room = limit - knee
    return float(np.sign(value)) * (knee + room * (1 - np.exp(-over / room)))

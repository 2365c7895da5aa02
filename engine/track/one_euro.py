"""One-Euro filter (Casiez, Roussel and Vogel, CHI 2012): smooth when still, quick when moving."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DERIVATIVE_CUTOFF_HZ = 4.0  # the paper uses 1; a talking mouth turns round five times a second


def _share(cutoff_hz: NDArray[np.float32] | float, step_s: float) -> NDArray[np.float32]:
    """Weight of the new value of a first-order low pass (equation 4)."""
    rate = 2 * np.pi * np.asarray(cutoff_hz, np.float32) * np.float32(step_s)
    result: NDArray[np.float32] = rate / (rate + 1)
    return result


class OneEuro:
    """Filters rows of an array (n, k); each row, a point, has one speed and so one cut-off."""

    def __init__(self, least_cutoff_hz: float, speed_gain: float) -> None:
        """`speed_gain`: how many Hz the cut-off rises for each unit per second (beta of the paper)."""
        self._least_cutoff_hz, self._speed_gain = least_cutoff_hz, speed_gain
        self._value: NDArray[np.float32] | None = None
        self._speed = np.zeros((1, 1), np.float32)
        self._at_s = 0.0

    def __call__(self, value: NDArray[np.float32], now_s: float) -> NDArray[np.float32]:
        """Filtered value (n, k) at `now_s`; times must not decrease."""
        step_s = now_s - self._at_s
        self._at_s = now_s
        if self._value is None or step_s <= 0:
            self._value = value if self._value is None else self._value
            self._speed = np.zeros_like(value) if self._speed.shape != value.shape else self._speed
            return self._value
        change = (value - self._value) / np.float32(step_s)
        self._speed = self._speed + _share(DERIVATIVE_CUTOFF_HZ, step_s) * (change - self._speed)
        speed = np.linalg.norm(self._speed, axis=1, keepdims=True)
        cutoff = self._least_cutoff_hz + self._speed_gain * speed
        self._value = (self._value + _share(cutoff, step_s) * (value - self._value)).astype(np.float32)
        return self._value

    def reset(self) -> None:
        """Start anew at the next value."""
        self._value = None
        self._speed = np.zeros((1, 1), np.float32)

"""One-Euro filter (Casiez, Roussel and Vogel, CHI 2012): smooth when still, quick when moving."""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
DERIVATIVE_CUTOFF_HZ = 4.0  # the paper uses 1; a talking mouth turns round five times a second


@numba.njit(cache=True)
def _smoothed(
    value: Rows, before: Rows, speed: Rows, step_s: float, least_cutoff_hz: float, speed_gain: float
) -> tuple[Rows, Rows]:
    """The filtered value and its speed, both (n, k); equations 4 to 7."""
    step = np.float32(step_s)
    turn = np.float32(2 * math.pi) * step
    of_change = _share(turn * np.float32(DERIVATIVE_CUTOFF_HZ))
    filtered, now = np.empty_like(value), np.empty_like(value)
    for i in range(value.shape[0]):
        squares = np.float32(0)
        for k in range(value.shape[1]):
            now[i, k] = speed[i, k] + of_change * ((value[i, k] - before[i, k]) / step - speed[i, k])
            squares += now[i, k] * now[i, k]
        cutoff = np.float32(least_cutoff_hz) + np.float32(speed_gain) * np.sqrt(squares)
        share = _share(turn * cutoff)
        for k in range(value.shape[1]):
            filtered[i, k] = before[i, k] + share * (value[i, k] - before[i, k])
    return filtered, now


@numba.njit(cache=True)
def _share(rate: np.float32) -> np.float32:
    """Weight of the new value of a first-order low pass (equation 4)."""
    return rate / (rate + np.float32(1))


class OneEuro:
    """Filters rows of an array (n, k); each row, a point, has one speed and so one cut-off."""

    def __init__(self, least_cutoff_hz: float, speed_gain: float) -> None:
        """`speed_gain`: how many Hz the cut-off rises for each unit per second (beta of the paper)."""
        self._least_cutoff_hz, self._speed_gain = least_cutoff_hz, speed_gain
        self._value: NDArray[np.float32] | None = None
        self._speed = np.zeros((1, 1), np.float32)
        self._at_s = 0.0

    def __call__(self, value: NDArray[np.float32], now_s: float) -> NDArray[np.float32]:
        """Filtered value (n, k) at `now_s`; times must not decrease. ValueError for another shape than before."""
        value = np.ascontiguousarray(value, np.float32)  # the one layout for which the filter is compiled
        if self._value is not None and self._value.shape != value.shape:
            raise ValueError(f"{value.shape} rows do not follow {self._value.shape}")
        step_s = now_s - self._at_s
        self._at_s = now_s
        if self._value is None or step_s <= 0:
            self._value = value if self._value is None else self._value
            self._speed = np.zeros_like(value) if self._speed.shape != value.shape else self._speed
            return self._value
        self._value, self._speed = _smoothed(
            value, self._value, self._speed, step_s, self._least_cutoff_hz, self._speed_gain
        )
        return self._value

    def reset(self) -> None:
        """Start anew at the next value."""
        self._value = None
        self._speed = np.zeros((1, 1), np.float32)

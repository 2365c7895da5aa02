"""Bounded least squares for a few dozen unknowns, a hundred times a second."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]  # (n,)


@numba.njit(cache=True, nogil=True)
def descend(gram: NDArray[np.float64], aim: Vector, start: Vector, low: Vector, high: Vector, sweeps: int) -> Vector:
    """argmin of x.gram.x / 2 - aim.x with low <= x <= high, by coordinate descent from `start`; `gram` (n, n) is symmetric and
    positive, an unknown on whose diagonal it has 0 stays where it is."""
    x = np.minimum(np.maximum(start, low), high)
    slope = gram @ x - aim
    for _ in range(sweeps):
        for i in range(len(x)):
            if gram[i, i] <= 0:
                continue
            moved = min(max(x[i] - slope[i] / gram[i, i], low[i]), high[i])
            step = moved - x[i]
            if step != 0:
                x[i] = moved
                row = gram[i]  # its column too, in one piece
                for k in range(len(x)):
                    slope[k] += step * row[k]
    return x

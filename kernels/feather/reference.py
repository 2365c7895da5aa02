"""Definition of `feather` in plain NumPy; see the package for the contract."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def _sums(values: NDArray[np.int64], radius: int, axis: int) -> NDArray[np.int64]:
    """Sum of the 2 * radius + 1 values around each one along an axis."""
    margin = [(radius, radius) if a == axis else (0, 0) for a in range(2)]
    wide = np.pad(values, margin, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(wide, 2 * radius + 1, axis=axis).sum(-1)


def feather(mask: NDArray[np.uint8], radius: int, matte: NDArray[np.uint8]) -> None:
    """See the package."""
    total = (mask != 0).astype(np.int64)
    for axis in (0, 0, 1, 1):
        total = _sums(total, radius, axis)
    full = (2 * radius + 1) ** 4
    above = np.maximum(0, 2 * total - full) * 255  # of `full`
    matte[...] = (2 * above + full) // (2 * full)

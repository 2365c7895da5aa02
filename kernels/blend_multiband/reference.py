"""Definition of `blend_multiband` in plain NumPy; see the package for the contract."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TAPS = np.array([1, 4, 6, 4, 1], np.float32) / 16


def _down(values: NDArray[np.float32]) -> NDArray[np.float32]:
    for axis in (0, 1):
        margin = [(2, 2) if a == axis else (0, 0) for a in range(values.ndim)]
        wide = np.pad(values, margin, mode="edge")
        window = np.lib.stride_tricks.sliding_window_view(wide, 5, axis=axis)
        values = (window @ TAPS).take(range(0, values.shape[axis], 2), axis=axis)
    return values


def _up(values: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    for axis in (0, 1):
        index = np.arange(shape[axis])
        low = index // 2
        high = np.minimum(low + index % 2, values.shape[axis] - 1)
        values = (values.take(low, axis=axis) + values.take(high, axis=axis)) / 2
    return values


def blend_multiband(
    canvas: NDArray[np.uint8], layer: NDArray[np.uint8], matte: NDArray[np.uint8], levels: int, out: NDArray[np.uint8]
) -> None:
    """See the package."""
    difference = layer.astype(np.float32) - canvas
    share = (matte.astype(np.float32) / 255)[..., None]
    bands = []
    for _ in range(levels):
        if min(difference.shape[:2]) < 4:
            break
        coarse = _down(difference)
        bands.append((difference - _up(coarse, difference.shape)) * share)
        difference, share = coarse, _down(share)
    total = difference * share
    for band in reversed(bands):
        total = band + _up(total, band.shape)
    out[...] = np.clip(np.floor(canvas + total + 0.5), 0, 255)

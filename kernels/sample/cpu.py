"""`sample` on the CPU with Numba; see the package for the contract.

Whole-number arithmetic keeps it equal to the reference to the bit.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True, parallel=True)
def _sample(source, backward, out):  # type: ignore[no-untyped-def]
    height, width, channels = source.shape
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    for row in numba.prange(out.shape[0]):
        for column in range(out.shape[1]):
            x = np.int32(min(max(backward[row, column, 0], np.float32(0)), right) * np.float32(256) + np.float32(0.5))
            y = np.int32(min(max(backward[row, column, 1], np.float32(0)), bottom) * np.float32(256) + np.float32(0.5))
            x0, y0, fx, fy = x >> 8, y >> 8, x & 255, y & 255
            x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
            for channel in range(channels):
                above = np.int32(source[y0, x0, channel]) * (256 - fx) + np.int32(source[y0, x1, channel]) * fx
                below = np.int32(source[y1, x0, channel]) * (256 - fx) + np.int32(source[y1, x1, channel]) * fx
                out[row, column, channel] = (above * (256 - fy) + below * fy + 32768) >> 16


def sample(source: NDArray[np.uint8], backward: NDArray[np.float32], out: NDArray[np.uint8]) -> None:
    """See the package."""
    _sample(source, backward, out)

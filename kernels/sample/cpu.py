"""`sample` on the CPU with Numba; see the package for the contract.

Whole-number arithmetic keeps it equal to the reference to the bit. The source is read as one row of bytes with unsigned
indices, which spares Numba's test for negative ones, and three channels, the usual case, are written out.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True, inline="always")
def _mix(source, at, across, down, fx, fy):  # type: ignore[no-untyped-def]
    """Bilinear mix of the byte at `at` with its neighbours; weights of 256 steps."""
    above = np.uint32(source[at]) * (np.uint32(256) - fx) + np.uint32(source[at + across]) * fx
    below = np.uint32(source[at + down]) * (np.uint32(256) - fx) + np.uint32(source[at + down + across]) * fx
    return (above * (np.uint32(256) - fy) + below * fy + np.uint32(32768)) >> np.uint32(16)


@numba.njit(cache=True, nogil=True, parallel=True)
def _sample(source, height, width, channels, backward, out):  # type: ignore[no-untyped-def]
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    pixel, line = np.uintp(channels), np.uintp(width * channels)
    for row in numba.prange(out.shape[0]):
        for column in range(out.shape[1]):
            x = min(max(backward[row, column, 0], np.float32(0)), right)
            y = min(max(backward[row, column, 1], np.float32(0)), bottom)
            fixed_x = np.uint32(x * np.float32(256) + np.float32(0.5))
            fixed_y = np.uint32(y * np.float32(256) + np.float32(0.5))
            x0, y0 = np.uintp(fixed_x >> np.uint32(8)), np.uintp(fixed_y >> np.uint32(8))
            fx, fy = fixed_x & np.uint32(255), fixed_y & np.uint32(255)
            at = y0 * line + x0 * pixel
            across = pixel if fx else np.uintp(0)
            down = line if fy else np.uintp(0)
            if channels == 3:
                out[row, column, 0] = _mix(source, at, across, down, fx, fy)
                out[row, column, 1] = _mix(source, at + np.uintp(1), across, down, fx, fy)
                out[row, column, 2] = _mix(source, at + np.uintp(2), across, down, fx, fy)
            else:
                for channel in range(channels):
                    out[row, column, channel] = _mix(source, at + np.uintp(channel), across, down, fx, fy)


def sample(source: NDArray[np.uint8], backward: NDArray[np.float32], out: NDArray[np.uint8]) -> None:
    """See the package."""
    height, width, channels = source.shape
    _sample(source.reshape(-1), height, width, channels, backward, out)

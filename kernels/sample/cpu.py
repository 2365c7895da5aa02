"""`sample` on the CPU with Numba; see the package for the contract.

Whole-number arithmetic keeps it equal to the reference to the bit. The source is read as one row of bytes with unsigned
indices, which spares Numba's test for negative ones, and three channels, the usual case, are written out.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

PARALLEL_FROM_PX = 65_536  # under that, waiting for a second thread costs more than it saves


@numba.njit(cache=True, nogil=True, inline="always")
def _mix(source, at, across, down, fx, fy):  # type: ignore[no-untyped-def]
    """Bilinear mix of the byte at `at` with its neighbours; weights of 256 steps."""
    above = np.uint32(source[at]) * (np.uint32(256) - fx) + np.uint32(source[at + across]) * fx
    below = np.uint32(source[at + down]) * (np.uint32(256) - fx) + np.uint32(source[at + down + across]) * fx
    return (above * (np.uint32(256) - fy) + below * fy + np.uint32(32768)) >> np.uint32(16)


@numba.njit(cache=True, nogil=True)
def _sample_row(source, height, width, channels, backward, out, row):  # type: ignore[no-untyped-def]
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    pixel, line = np.uintp(channels), np.uintp(width * channels)
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


@numba.njit(cache=True, nogil=True)
def _sample_serial(source, height, width, channels, backward, out):  # type: ignore[no-untyped-def]
    for row in range(out.shape[0]):
        _sample_row(source, height, width, channels, backward, out, row)


@numba.njit(cache=True, nogil=True, parallel=True)
def _sample_parallel(source, height, width, channels, backward, out):  # type: ignore[no-untyped-def]
    for row in numba.prange(out.shape[0]):
        _sample_row(source, height, width, channels, backward, out, row)


def sample(source: NDArray[np.uint8], backward: NDArray[np.float32], out: NDArray[np.uint8]) -> None:
    """See the package."""
    height, width, channels = source.shape
    small = out.shape[0] * out.shape[1] < PARALLEL_FROM_PX
    run = _sample_serial if small else _sample_parallel
    run(source.reshape(-1), height, width, channels, backward, out)

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
def _mix(source, at, across, down, a, b, c, d):  # type: ignore[no-untyped-def]
    """Mix of the byte at `at` with its neighbours; the weights' sum is 65 536."""
    above = np.int32(source[at]) * a + np.int32(source[at + across]) * b
    below = np.int32(source[at + down]) * c + np.int32(source[at + down + across]) * d
    return (above + below + np.int32(32768)) >> np.int32(16)


@numba.njit(cache=True, nogil=True)
def _sample_row(source, height, width, channels, backward, out, row):  # type: ignore[no-untyped-def]
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    pixel, line, whole = np.uintp(channels), np.uintp(width * channels), np.int32(256)
    for column in range(out.shape[1]):
        x = min(max(backward[row, column, 0], np.float32(0)), right)
        y = min(max(backward[row, column, 1], np.float32(0)), bottom)
        fixed_x = np.uint32(x * np.float32(256) + np.float32(0.5))
        fixed_y = np.uint32(y * np.float32(256) + np.float32(0.5))
        fx, fy = np.int32(fixed_x & np.uint32(255)), np.int32(fixed_y & np.uint32(255))
        at = np.uintp(fixed_y >> np.uint32(8)) * line + np.uintp(fixed_x >> np.uint32(8)) * pixel
        across = pixel if fx else np.uintp(0)
        down = line if fy else np.uintp(0)
        a, b, c, d = (whole - fx) * (whole - fy), fx * (whole - fy), (whole - fx) * fy, fx * fy
        if channels == 3:
            out[row, column, 0] = _mix(source, at, across, down, a, b, c, d)
            out[row, column, 1] = _mix(source, at + np.uintp(1), across, down, a, b, c, d)
            out[row, column, 2] = _mix(source, at + np.uintp(2), across, down, a, b, c, d)
        else:
            for channel in range(channels):
                out[row, column, channel] = _mix(source, at + np.uintp(channel), across, down, a, b, c, d)


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

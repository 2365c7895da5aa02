"""`feather` on the CPU with Numba; see the package for the contract. Equal to the reference to the bit."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

LARGEST_IN_32_BITS = 100  # its windows' counts, to the fourth power, are less than 2 ** 31


@numba.njit(cache=True, nogil=True, parallel=True)
def _down(values, radius, out):  # type: ignore[no-untyped-def]
    """Running sums along columns, a strip of columns a thread, so that memory is read in rows."""
    height, width = values.shape
    strips = 8
    for strip in numba.prange(strips):
        first, last = strip * width // strips, (strip + 1) * width // strips
        total = np.zeros(last - first, values.dtype)
        for y in range(-radius, radius + 1):
            row = min(max(y, 0), height - 1)
            for x in range(first, last):
                total[x - first] += values[row, x]
        for y in range(height):
            new, old = min(y + radius + 1, height - 1), max(y - radius, 0)
            for x in range(first, last):
                out[y, x] = total[x - first]
                total[x - first] += values[new, x] - values[old, x]


@numba.njit(cache=True, nogil=True, parallel=True)
def _across(values, radius, out):  # type: ignore[no-untyped-def]
    height, width = values.shape
    for y in numba.prange(height):
        total = values[0, 0] - values[0, 0]
        for x in range(-radius, radius + 1):
            total += values[y, min(max(x, 0), width - 1)]
        for x in range(width):
            out[y, x] = total
            total += values[y, min(x + radius + 1, width - 1)] - values[y, max(x - radius, 0)]


@numba.njit(cache=True, nogil=True, parallel=True)
def _matte(total, full, matte):  # type: ignore[no-untyped-def]
    for y in numba.prange(total.shape[0]):
        for x in range(total.shape[1]):
            above = max(np.int64(0), 2 * np.int64(total[y, x]) - full) * 255
            matte[y, x] = (2 * above + full) // (2 * full)


def feather(mask: NDArray[np.uint8], radius: int, matte: NDArray[np.uint8]) -> None:
    """See the package."""
    dtype = np.int32 if radius <= LARGEST_IN_32_BITS else np.int64
    a, b = (mask != 0).astype(dtype), np.empty(mask.shape, dtype)
    _down(a, radius, b)
    _down(b, radius, a)
    _across(a, radius, b)
    _across(b, radius, a)
    _matte(a, np.int64((2 * radius + 1) ** 4), matte)

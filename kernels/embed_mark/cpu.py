"""`embed_mark` on the CPU with Numba; see the package for the contract. Equal to the reference to the bit.

One thread: it runs beside the other stages, and memory is what it waits for.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from kernels.embed_mark import BLOCK, MOST, PLAIN, SLOPE, STEP


@numba.njit(cache=True, nogil=True, inline="always")
def _busy(picture, y0, x0):  # type: ignore[no-untyped-def]
    y1, x1 = min(y0 + STEP, picture.shape[0] - 1), min(x0 + STEP, picture.shape[1] - 1)
    y0, x0 = min(y0, picture.shape[0] - 1), min(x0, picture.shape[1] - 1)
    a, b = np.int32(picture[y0, x0, 1]), np.int32(picture[y0, x1, 1])
    c, d = np.int32(picture[y1, x0, 1]), np.int32(picture[y1, x1, 1])
    return abs(a - b) + abs(c - d) + abs(a - c) + abs(b - d)


@numba.njit(cache=True, nogil=True)
def _gains(picture, y, gains):  # type: ignore[no-untyped-def]
    """Gain of each value of a row of pixels, for the row of blocks that begins at y."""
    half = BLOCK // 2
    for x in range(0, picture.shape[1], BLOCK):
        left = min(_busy(picture, y, x), _busy(picture, y + half, x))
        right = min(_busy(picture, y, x + half), _busy(picture, y + half, x + half))
        gain = np.int16(min(PLAIN + min(left, right) * SLOPE // 8, MOST))
        gains[3 * x : 3 * (x + BLOCK)] = gain


@numba.njit(cache=True, nogil=True)
def _embed(picture, values, pattern):  # type: ignore[no-untyped-def]
    height, width = pattern.shape
    gains = np.empty(3 * (width + BLOCK), np.int16)
    thrice = np.empty(3 * width, np.int16)
    for y in range(height):
        if y % BLOCK == 0:
            _gains(picture, y, gains)
        for x in range(width):
            p = np.int16(pattern[y, x])
            thrice[3 * x] = p
            thrice[3 * x + 1] = p
            thrice[3 * x + 2] = p
        row = values[y]
        for i in range(3 * width):
            more = np.int16(np.int16(thrice[i] * gains[i] + np.int16(512)) >> np.int16(10))
            row[i] = np.uint8(min(max(np.int16(np.int16(row[i]) + more), np.int16(0)), np.int16(255)))


def embed_mark(picture: NDArray[np.uint8], pattern: NDArray[np.int8]) -> None:
    """See the package."""
    if not picture.flags.c_contiguous:
        raise ValueError("embed_mark changes a C-contiguous picture")
    _embed(picture, picture.reshape(len(picture), -1), pattern)

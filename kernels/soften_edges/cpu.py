"""`soften_edges` on the CPU with Numba; see the package for the contract. Equal to the reference to the bit.

Jumps are rare: blocks of a row are asked whether they hold any, in loops that the compiler makes vector code of, and only
those that do are looked at pixel by pixel.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

BLOCK_PX = 64


@numba.njit(cache=True, nogil=True)
def _any_jump(one, other, limit):  # type: ignore[no-untyped-def]
    """1 where the values of two rows of numbers are anywhere further apart than `limit`, else 0."""
    found = np.uint8(0)
    for i in range(one.size):
        found |= np.uint8(abs(one[i] - other[i]) > limit)
    return found


@numba.njit(cache=True, nogil=True, inline="always")
def _far(backward, y0, x0, y1, x1, limit):  # type: ignore[no-untyped-def]
    return (
        abs(backward[y0, x0, 0] - backward[y1, x1, 0]) > limit or abs(backward[y0, x0, 1] - backward[y1, x1, 1]) > limit
    )


@numba.njit(cache=True, nogil=True)
def _soften_block(picture, backward, limit, out, y, first, last):  # type: ignore[no-untyped-def]
    for x in range(first, last):
        jumps = (
            _far(backward, y, x, y, x - 1, limit)
            or _far(backward, y, x, y, x + 1, limit)
            or _far(backward, y, x, y - 1, x, limit)
            or _far(backward, y, x, y + 1, x, limit)
        )
        if jumps:
            for channel in range(3):
                total = np.int32(0)
                for dy in range(-1, 2):
                    for dx in range(-1, 2):
                        total += np.int32(picture[y + dy, x + dx, channel])
                out[y, x, channel] = (2 * total + 9) // 18


@numba.njit(cache=True, nogil=True, parallel=True)
def _soften_edges(picture, backward, limit, out):  # type: ignore[no-untyped-def]
    height, width = picture.shape[:2]
    sources = backward.reshape(height, 2 * width)
    before, after = picture.reshape(height, 3 * width), out.reshape(height, 3 * width)
    for y in numba.prange(height):
        plain, softened = before[y], after[y]
        for i in range(plain.size):
            softened[i] = plain[i]
        if y == 0 or y == height - 1:
            continue
        here, above, below = sources[y], sources[y - 1], sources[y + 1]
        for first in range(1, width - 1, BLOCK_PX):
            last = min(first + BLOCK_PX, width - 1)
            begin, end = 2 * first, 2 * last
            if (
                _any_jump(here[begin - 2 : end], here[begin : end + 2], limit)
                or _any_jump(here[begin:end], above[begin:end], limit)
                or _any_jump(here[begin:end], below[begin:end], limit)
            ):
                _soften_block(picture, backward, limit, out, y, first, last)


def soften_edges(
    picture: NDArray[np.uint8], backward: NDArray[np.float32], limit_px: float, out: NDArray[np.uint8]
) -> None:
    """See the package."""
    _soften_edges(picture, backward, np.float32(limit_px), out)

"""`soften_edges` on the CPU with Numba; see the package for the contract. Equal to the reference to the bit."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True, inline="always")
def _far(backward, y0, x0, y1, x1, limit):  # type: ignore[no-untyped-def]
    return (
        abs(backward[y0, x0, 0] - backward[y1, x1, 0]) > limit or abs(backward[y0, x0, 1] - backward[y1, x1, 1]) > limit
    )


@numba.njit(cache=True, nogil=True, parallel=True)
def _soften_edges(picture, backward, limit, out):  # type: ignore[no-untyped-def]
    height, width = picture.shape[:2]
    for y in numba.prange(height):
        for x in range(width):
            for channel in range(3):
                out[y, x, channel] = picture[y, x, channel]
        if y == 0 or y == height - 1:
            continue
        for x in range(1, width - 1):
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


def soften_edges(
    picture: NDArray[np.uint8], backward: NDArray[np.float32], limit_px: float, out: NDArray[np.uint8]
) -> None:
    """See the package."""
    _soften_edges(picture, backward, np.float32(limit_px), out)

"""`match_colour` on the CPU with Numba; see the package for the contract."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True, parallel=True)
def _match_colour(picture, table, low, share, out):  # type: ignore[no-untyped-def]
    for y in numba.prange(picture.shape[0]):
        for x in range(picture.shape[1]):
            b, g, r = low[picture[y, x, 0]], low[picture[y, x, 1]], low[picture[y, x, 2]]
            sb, sg, sr = share[picture[y, x, 0]], share[picture[y, x, 1]], share[picture[y, x, 2]]
            for k in range(3):
                value = np.float32(0)
                for i in range(2):
                    wb = sb if i else 1 - sb
                    for j in range(2):
                        w = wb * (sg if j else 1 - sg)
                        value += w * ((1 - sr) * table[b + i, g + j, r, k] + sr * table[b + i, g + j, r + 1, k])
                value = np.floor(value + np.float32(0.5))
                out[y, x, k] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))


def match_colour(picture: NDArray[np.uint8], table: NDArray[np.float32], out: NDArray[np.uint8]) -> None:
    """See the package."""
    place = np.arange(256, dtype=np.float32) * np.float32((len(table) - 1) / 255)
    low = np.minimum(place.astype(np.int32), len(table) - 2)
    _match_colour(picture, table, low, place - low.astype(np.float32), out)

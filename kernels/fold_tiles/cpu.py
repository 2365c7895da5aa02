"""`fold_tiles` on the CPU with Numba; see the package for the contract. Rows are added first, which needs no index per pixel."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def _fold(picture, left, top, step_x, step_y, fold):  # type: ignore[no-untyped-def]
    height, width = picture.shape
    rows, columns = fold.shape
    lines = np.zeros((rows, width), np.float32)
    for y in range(height):
        row = np.int64(np.floor((y + 0.5 - top) / step_y)) % rows
        for x in range(width):
            lines[row, x] += picture[y, x]
    turned = lines.T.copy()  # so that what is added lies in rows again
    total = np.zeros((columns, rows), np.float32)
    for x in range(width):
        column = np.int64(np.floor((x + 0.5 - left) / step_x)) % columns
        for row in range(rows):
            total[column, row] += turned[x, row]
    fold[...] = total.T


def fold_tiles(
    picture: NDArray[np.float32], left: float, top: float, step_x: float, step_y: float, fold: NDArray[np.float32]
) -> None:
    """See the package."""
    _fold(picture, left, top, step_x, step_y, fold)

"""`composite` on the CPU with Numba; see the package for the contract. Equal to the reference to the bit."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def _composite(canvas, layer, matte, left, top):  # type: ignore[no-untyped-def]
    rows, columns = matte.shape
    for row in range(max(0, -top), min(rows, canvas.shape[0] - top)):
        for column in range(max(0, -left), min(columns, canvas.shape[1] - left)):
            alpha = np.int32(matte[row, column])
            if alpha == 0:
                continue
            for channel in range(3):
                below = np.int32(canvas[top + row, left + column, channel])
                mixed = below * (255 - alpha) + np.int32(layer[row, column, channel]) * alpha
                canvas[top + row, left + column, channel] = (2 * mixed + 255) // 510


def composite(
    canvas: NDArray[np.uint8], layer: NDArray[np.uint8], matte: NDArray[np.uint8], left: int, top: int
) -> None:
    """See the package."""
    _composite(canvas, layer, matte, left, top)

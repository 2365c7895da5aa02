"""`composite` on the CPU with Numba; see the package for the contract. Equal to the reference to the bit."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

PARALLEL_FROM_PX = 65_536  # under that, waiting for a second thread costs more than it saves


@numba.njit(cache=True, nogil=True)
def _composite_row(canvas, layer, matte, left, top, row):  # type: ignore[no-untyped-def]
    for column in range(max(0, -left), min(matte.shape[1], canvas.shape[1] - left)):
        alpha = np.int32(matte[row, column])
        if alpha == 0:
            continue
        for channel in range(3):
            below = np.int32(canvas[top + row, left + column, channel])
            mixed = below * (255 - alpha) + np.int32(layer[row, column, channel]) * alpha
            canvas[top + row, left + column, channel] = (2 * mixed + 255) // 510


@numba.njit(cache=True, nogil=True)
def _composite_serial(canvas, layer, matte, left, top, first, last):  # type: ignore[no-untyped-def]
    for row in range(first, last):
        _composite_row(canvas, layer, matte, left, top, row)


@numba.njit(cache=True, nogil=True, parallel=True)
def _composite_parallel(canvas, layer, matte, left, top, first, last):  # type: ignore[no-untyped-def]
    for row in numba.prange(first, last):
        _composite_row(canvas, layer, matte, left, top, row)


def composite(
    canvas: NDArray[np.uint8], layer: NDArray[np.uint8], matte: NDArray[np.uint8], left: int, top: int
) -> None:
    """See the package."""
    first, last = max(0, -top), min(matte.shape[0], canvas.shape[0] - top)
    run = _composite_serial if matte.size < PARALLEL_FROM_PX else _composite_parallel
    run(canvas, layer, matte, left, top, first, last)

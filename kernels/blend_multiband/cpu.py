"""`blend_multiband` on the CPU with Numba; see the package for the contract."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True, parallel=True)
def _begin(canvas, layer, matte, values):  # type: ignore[no-untyped-def]
    """Difference of the colours and share of the layer, (height, width, 4)."""
    for y in numba.prange(canvas.shape[0]):
        for x in range(canvas.shape[1]):
            for c in range(3):
                values[y, x, c] = np.float32(layer[y, x, c]) - np.float32(canvas[y, x, c])
            values[y, x, 3] = np.float32(matte[y, x]) * np.float32(1 / 255)


@numba.njit(cache=True, nogil=True, parallel=True)
def _down(values, rows, coarse):  # type: ignore[no-untyped-def]
    """`rows` (coarse height, width, 4) holds what was filtered downwards."""
    height, width = values.shape[:2]
    for y in numba.prange(coarse.shape[0]):
        a, b, c, d, e = (
            max(2 * y - 2, 0),
            max(2 * y - 1, 0),
            2 * y,
            min(2 * y + 1, height - 1),
            min(2 * y + 2, height - 1),
        )
        for x in range(width):
            for k in range(4):
                outer, inner = values[a, x, k] + values[e, x, k], values[b, x, k] + values[d, x, k]
                rows[y, x, k] = (outer + 4 * inner + 6 * values[c, x, k]) * np.float32(1 / 16)
        for x in range(coarse.shape[1]):
            a2, b2, d2, e2 = max(2 * x - 2, 0), max(2 * x - 1, 0), min(2 * x + 1, width - 1), min(2 * x + 2, width - 1)
            for k in range(4):
                outer, inner = rows[y, a2, k] + rows[y, e2, k], rows[y, b2, k] + rows[y, d2, k]
                coarse[y, x, k] = (outer + 4 * inner + 6 * rows[y, 2 * x, k]) * np.float32(1 / 16)


@numba.njit(cache=True, nogil=True, inline="always")
def _raised(coarse, y, x, k):  # type: ignore[no-untyped-def]
    """The coarse values at a fine pixel."""
    y0, x0 = y >> 1, x >> 1
    y1, x1 = min(y0 + (y & 1), coarse.shape[0] - 1), min(x0 + (x & 1), coarse.shape[1] - 1)
    return (coarse[y0, x0, k] + coarse[y1, x0, k] + coarse[y0, x1, k] + coarse[y1, x1, k]) * np.float32(0.25)


@numba.njit(cache=True, nogil=True, parallel=True)
def _band(values, coarse):  # type: ignore[no-untyped-def]
    """Leave of the differences what the coarser level doesn't hold, mixed by the share."""
    for y in numba.prange(values.shape[0]):
        for x in range(values.shape[1]):
            for k in range(3):
                values[y, x, k] = (values[y, x, k] - _raised(coarse, y, x, k)) * values[y, x, 3]


@numba.njit(cache=True, nogil=True, parallel=True)
def _mix(values):  # type: ignore[no-untyped-def]
    for y in numba.prange(values.shape[0]):
        for x in range(values.shape[1]):
            for k in range(3):
                values[y, x, k] *= values[y, x, 3]


@numba.njit(cache=True, nogil=True, parallel=True)
def _add(values, coarse):  # type: ignore[no-untyped-def]
    for y in numba.prange(values.shape[0]):
        for x in range(values.shape[1]):
            for k in range(3):
                values[y, x, k] += _raised(coarse, y, x, k)


@numba.njit(cache=True, nogil=True, parallel=True)
def _finish(canvas, values, out):  # type: ignore[no-untyped-def]
    for y in numba.prange(canvas.shape[0]):
        for x in range(canvas.shape[1]):
            for k in range(3):
                value = np.floor(np.float32(canvas[y, x, k]) + values[y, x, k] + np.float32(0.5))
                out[y, x, k] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))


def blend_multiband(
    canvas: NDArray[np.uint8], layer: NDArray[np.uint8], matte: NDArray[np.uint8], levels: int, out: NDArray[np.uint8]
) -> None:
    """See the package."""
    pyramid = [np.empty((*matte.shape, 4), np.float32)]
    _begin(canvas, layer, matte, pyramid[0])
    for _ in range(levels):
        height, width = pyramid[-1].shape[:2]
        if min(height, width) < 4:
            break
        half = ((height + 1) // 2, (width + 1) // 2)
        pyramid.append(np.empty((*half, 4), np.float32))
        _down(pyramid[-2], np.empty((half[0], width, 4), np.float32), pyramid[-1])
        _band(pyramid[-2], pyramid[-1])
    _mix(pyramid[-1])
    for coarse, fine in zip(pyramid[:0:-1], pyramid[-2::-1], strict=True):
        _add(fine, coarse)
    _finish(canvas, pyramid[0], out)

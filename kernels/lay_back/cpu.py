"""`lay_back` on the CPU with Numba; see the package for the contract. Only the rectangle in which a crop shows is visited."""

from __future__ import annotations

from functools import cache

import numba
import numpy as np
from numpy.typing import NDArray

from kernels.lay_back import EDGE_SHARE, FAINT

PARALLEL_FROM_PX = 4096  # under that, waiting for a second thread costs more than it saves


@numba.njit(cache=True, nogil=True)
def _byte(value):  # type: ignore[no-untyped-def]
    return np.uint8(min(max(np.floor(value + np.float32(0.5)), np.float32(0)), np.float32(255)))


@numba.njit(cache=True, nogil=True)
def _fade(drawn, ramp, crop, layers):  # type: ignore[no-untyped-def]
    """Round colour and faded matte, and put the crop beside them: (size, size, 7). Returns first and last column,
    first and last row in which the matte shows, or none."""
    size = drawn.shape[0]
    x0, x1, y0, y1 = size, -1, size, -1
    for y in range(size):
        for x in range(size):
            for k in range(3):
                layers[y, x, k] = _byte(drawn[y, x, k])
                layers[y, x, 4 + k] = crop[y, x, k]
            whole = int(_byte(np.float32(255) * drawn[y, x, 3] * (ramp[x] * ramp[y])))
            matte = (510 * max(whole - FAINT, 0) + 255 - FAINT) // (2 * (255 - FAINT))
            layers[y, x, 3] = matte
            if matte > 0:
                x0, x1 = min(x0, x), max(x1, x)
                y0, y1 = min(y0, y), max(y1, y)
    return x0, x1, y0, y1


@numba.njit(cache=True, nogil=True, inline="always")
def _mixed(layers, i, j, shares, k):  # type: ignore[no-untyped-def]
    """A channel of four neighbours."""
    right, below, (a, b, c, d) = i + np.uint32(1), j + np.uint32(1), shares
    return layers[j, i, k] * a + layers[j, right, k] * b + layers[below, i, k] * c + layers[below, right, k] * d


@numba.njit(cache=True, nogil=True)
def _lay_row(picture, layers, inverse, shown, kept, left, right, y):  # type: ignore[no-untyped-def]
    """`layers` has a rim of zeros, one pixel before and two behind. Where its matte is nothing, nothing else is read."""
    one, half, whole = np.float32(1), np.float32(0.5), np.int32(255)
    first_u, last_u, first_v, last_v = shown[0], shown[1] + 2, shown[2], shown[3] + 2  # in the rimmed layers
    from_u = np.float32(inverse[0] * left + inverse[1] * y + inverse[2] + 1)
    from_v = np.float32(inverse[3] * left + inverse[4] * y + inverse[5] + 1)
    step_u, step_v = np.float32(inverse[0]), np.float32(inverse[3])
    for n in range(right - left):
        u, v = from_u + step_u * np.float32(n), from_v + step_v * np.float32(n)
        if u < first_u or u > last_u or v < first_v or v > last_v:
            continue
        i, j = np.uint32(u), np.uint32(v)
        fx, fy = u - np.float32(i), v - np.float32(j)
        shares = (one - fx) * (one - fy), fx * (one - fy), (one - fx) * fy, fx * fy
        alpha = np.int32(_mixed(layers, i, j, shares, 3) + half)
        if alpha == 0:
            continue
        for k in range(3):
            below, drawn = np.int32(picture[y, left + n, k]), _mixed(layers, i, j, shares, k)
            if kept > 0:
                drawn += kept * (np.float32(below) - _mixed(layers, i, j, shares, 4 + k))
            colour = np.int32(_byte(drawn))
            picture[y, left + n, k] = (2 * (below * (whole - alpha) + colour * alpha) + whole) // np.int32(510)


@numba.njit(cache=True, nogil=True)
def _lay_serial(picture, layers, inverse, shown, kept, left, right, top, bottom):  # type: ignore[no-untyped-def]
    for y in range(top, bottom):
        _lay_row(picture, layers, inverse, shown, kept, left, right, y)


@numba.njit(cache=True, nogil=True, parallel=True)
def _lay_parallel(picture, layers, inverse, shown, kept, left, right, top, bottom):  # type: ignore[no-untyped-def]
    for y in numba.prange(top, bottom):
        _lay_row(picture, layers, inverse, shown, kept, left, right, y)


def lay_back(
    picture: NDArray[np.uint8],
    drawn: NDArray[np.float32],
    crops: NDArray[np.uint8] | NDArray[np.float16],
    matrices: NDArray[np.float32],
    detail: float,
) -> None:
    """See the package."""
    size = drawn.shape[1]
    if crops.dtype != np.uint8:
        planes = np.floor((crops[:, :3].astype(np.float32) + 1) * np.float32(127.5) + np.float32(0.5))
        crops = np.clip(planes, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    layers = np.zeros((size + 3, size + 3, 7), np.float32)
    for answer, crop, matrix in zip(drawn, crops, matrices, strict=True):
        shown = _fade(answer, _ramp(size), crop, layers[1 : size + 1, 1 : size + 1])
        if shown[1] >= 0:
            _lay(picture, layers, matrix.astype(np.float64), np.array(shown), detail)


def _lay(
    picture: NDArray[np.uint8],
    layers: NDArray[np.float32],
    matrix: NDArray[np.float64],
    shown: NDArray[np.int64],
    detail: float,
) -> None:
    """One crop, where it shows."""
    corners = (
        np.array([(x, y, 1) for x in (shown[0] - 1, shown[1] + 1) for y in (shown[2] - 1, shown[3] + 1)]) @ matrix.T
    )
    left, top = np.maximum(np.floor(corners.min(0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(0)) + 1, picture.shape[1::-1]).astype(int)
    if left >= right or top >= bottom:
        return
    (a, b, c), (d, e, f) = matrix
    scale = 1 / (a * e - b * d)
    inverse = scale * np.array([e, -b, b * f - e * c, -d, a, d * c - a * f])
    kept = np.float32(detail * np.clip(np.hypot(a, d) - 1, 0, 1))
    run = _lay_serial if (right - left) * (bottom - top) < PARALLEL_FROM_PX else _lay_parallel
    run(picture, layers, inverse, shown, kept, left, right, top, bottom)


@cache
def _ramp(size: int) -> NDArray[np.float32]:
    """(size,): 1 inside, 0 at the edge."""
    inwards = np.minimum(np.arange(size), np.arange(size)[::-1]) / (EDGE_SHARE * size)
    return np.clip(inwards, 0, 1).astype(np.float32)

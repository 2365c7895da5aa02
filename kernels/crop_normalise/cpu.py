"""`crop_normalise` on the CPU with Numba; see the package for the contract."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from kernels.crop_normalise import CHANNELS, LARGEST_STEP, SMALLEST_AREA, STRETCH_OCTAVES


@numba.njit(cache=True, nogil=True, inline="always")
def _place(m, x, y, height, width):  # type: ignore[no-untyped-def]
    """Row, column and shares of a reading, and steps to its neighbours, 0 where the picture's edge goes on."""
    u = min(max(m[0, 0] * x + m[0, 1] * y + m[0, 2], np.float32(0)), np.float32(width - 1))
    v = min(max(m[1, 0] * x + m[1, 1] * y + m[1, 2], np.float32(0)), np.float32(height - 1))
    i, j = int(u), int(v)
    return j, i, u - np.float32(i), v - np.float32(j), int(j + 1 < height), int(i + 1 < width)


@numba.njit(cache=True, nogil=True, inline="always")
def _mixed(a, b, c, d, fx, fy):  # type: ignore[no-untyped-def]
    above = np.float32(a) * (np.float32(1) - fx) + np.float32(b) * fx
    below = np.float32(c) * (np.float32(1) - fx) + np.float32(d) * fx
    return above * (np.float32(1) - fy) + below * fy


@numba.njit(cache=True, nogil=True, inline="always")
def _rounded(value):  # type: ignore[no-untyped-def]
    return np.uint8(min(max(np.floor(value + np.float32(0.5)), np.float32(0)), np.float32(255)))


@numba.njit(cache=True, nogil=True)
def _crop_row(picture, m, taps, y, out):  # type: ignore[no-untyped-def]
    """A row of a crop: the picture's three channels, to the first ones of `out` (size, channels)."""
    height, width = picture.shape[:2]
    share, step, half = np.float32(1) / np.float32(taps * taps), np.float32(1) / np.float32(taps), np.float32(0.5)
    for x in range(out.shape[0]):
        blue, green, red = np.float32(0), np.float32(0), np.float32(0)
        for v in range(taps):
            for u in range(taps):
                at_x = np.float32(x) + (np.float32(u) + half) * step - half
                at_y = np.float32(y) + (np.float32(v) + half) * step - half
                j, i, fx, fy, down, right = _place(m, at_x, at_y, height, width)
                a, b, c, d = picture[j, i], picture[j, i + right], picture[j + down, i], picture[j + down, i + right]
                blue += _mixed(a[0], b[0], c[0], d[0], fx, fy)
                green += _mixed(a[1], b[1], c[1], d[1], fx, fy)
                red += _mixed(a[2], b[2], c[2], d[2], fx, fy)
        out[x, 0], out[x, 1], out[x, 2] = _rounded(blue * share), _rounded(green * share), _rounded(red * share)


@numba.njit(cache=True, nogil=True, inline="always")
def _mapped(backward, m, x, y):  # type: ignore[no-untyped-def]
    j, i, fx, fy, down, right = _place(m, np.float32(x), np.float32(y), backward.shape[0], backward.shape[1])
    a, b, c, d = backward[j, i], backward[j, i + right], backward[j + down, i], backward[j + down, i + right]
    return _mixed(a[0], b[0], c[0], d[0], fx, fy), _mixed(a[1], b[1], c[1], d[1], fx, fy)


@numba.njit(cache=True, nogil=True)
def _stretch_row(backward, m, unit, y, out):  # type: ignore[no-untyped-def]
    """A row of a crop's stretch (size,)."""
    size = out.shape[0]
    most, least = np.float32(STRETCH_OCTAVES), np.float32(SMALLEST_AREA)
    v = min(y, size - 2)
    for x in range(size):
        u = min(x, size - 2)
        here, right, below = _mapped(backward, m, u, v), _mapped(backward, m, u + 1, v), _mapped(backward, m, u, v + 1)
        area = abs((right[0] - here[0]) * (below[1] - here[1]) - (right[1] - here[1]) * (below[0] - here[0]))
        octaves = np.log2(max(area / (unit * unit), least))
        out[x] = np.uint8(np.float32(128) + min(max(octaves, -most), most) * np.float32(127 / STRETCH_OCTAVES))


@numba.njit(cache=True, nogil=True, parallel=True)
def _crops(picture, backward, matrices, taps, drawings, references, units, crops):  # type: ignore[no-untyped-def]
    count, size = drawings.shape[:2]
    for row in numba.prange(count * size):
        n, y = row // size, row % size
        _crop_row(picture, matrices[n], taps[n], y, crops[n, y, :, :3])
        for x in range(size):
            for k in range(3):
                crops[n, y, x, 3 + k] = drawings[n, y, x, k]
                crops[n, y, x, 6 + k] = references[n, y, x, k]
        _stretch_row(backward, matrices[n], units[n], y, crops[n, y, :, 9])


@numba.njit(cache=True, nogil=True)
def _crop(picture, matrix, taps, out):  # type: ignore[no-untyped-def]
    """By one thread: views are opened beside the thread that draws."""
    for y in range(out.shape[0]):
        _crop_row(picture, matrix, taps, y, out[y])


def _taps(matrices: NDArray[np.float32]) -> NDArray[np.int64]:
    """(n,): how often the pixels of crops are read along either axis."""
    steps = np.hypot(matrices[:, 0, 0], matrices[:, 1, 0]).astype(np.float32)
    return np.maximum(1, np.ceil(steps / np.float32(LARGEST_STEP))).astype(np.int64)


def crop(picture: NDArray[np.uint8], matrix: NDArray[np.float32], size_px: int) -> NDArray[np.uint8]:
    """The crop (size, size, 3) alone."""
    out = np.empty((size_px, size_px, 3), np.uint8)
    _crop(picture, matrix.astype(np.float32), _taps(matrix[None])[0], out)
    return out


def crop_normalise(
    picture: NDArray[np.uint8],
    backward: NDArray[np.float32],
    matrices: NDArray[np.float32],
    drawings: NDArray[np.uint8],
    references: NDArray[np.uint8],
    units: NDArray[np.float32],
    crops: NDArray[np.uint8] | NDArray[np.float16],
) -> None:
    """See the package."""
    count, size = drawings.shape[:2]
    seen = crops if crops.dtype == np.uint8 else np.empty((count, size, size, CHANNELS), np.uint8)
    _crops(picture, backward, matrices, _taps(matrices), drawings, references, units, seen)
    if seen is not crops:
        crops[...] = (seen.transpose(0, 3, 1, 2) / np.float32(127.5) - 1).astype(np.float16)

"""Definition of `lay_back` in plain NumPy; see the package for the contract."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.composite.reference import composite
from kernels.lay_back import EDGE_SHARE, FAINT


def _rounded(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(np.floor(values + np.float32(0.5)), 0, 255).astype(np.uint8)


def _window(size: int) -> NDArray[np.float32]:
    """(size, size): 1 inside, 0 at the edge."""
    inwards = np.minimum(np.arange(size), np.arange(size)[::-1]) / (EDGE_SHARE * size)
    ramp = np.clip(inwards, 0, 1).astype(np.float32)
    return np.outer(ramp, ramp)


def _without_haze(matte: NDArray[np.uint8]) -> NDArray[np.uint8]:
    left = np.maximum(matte.astype(int) - FAINT, 0)
    return ((2 * 255 * left + 255 - FAINT) // (2 * (255 - FAINT))).astype(np.uint8)


def _read(values: NDArray[np.uint8], x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bilinear, 0 beyond."""
    wide = np.pad(values.astype(np.float32), ((1, 2), (1, 2), (0, 0)))
    last = values.shape[0]
    x, y = np.clip(x, -1, last), np.clip(y, -1, last)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    top = wide[y0 + 1, x0 + 1] * (1 - fx) + wide[y0 + 1, x0 + 2] * fx
    bottom = wide[y0 + 2, x0 + 1] * (1 - fx) + wide[y0 + 2, x0 + 2] * fx
    return (top * (1 - fy) + bottom * fy).astype(np.float32)


def _lay(
    picture: NDArray[np.uint8],
    faded: NDArray[np.uint8],
    seen: NDArray[np.uint8],
    matrix: NDArray[np.float32],
    detail: float,
) -> None:
    m = matrix.astype(np.float64)
    y, x = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]].astype(np.float64)
    determinant = m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]
    u = (m[1, 1] * (x - m[0, 2]) - m[0, 1] * (y - m[1, 2])) / determinant
    v = (m[0, 0] * (y - m[1, 2]) - m[1, 0] * (x - m[0, 2])) / determinant
    layer, soft = (_read(values, u.astype(np.float32), v.astype(np.float32)) for values in (faded, seen))
    kept = np.float32(detail * np.clip(np.hypot(m[0, 0], m[1, 0]) - 1, 0, 1))
    colour = _rounded(layer[..., :3] + kept * (picture.astype(np.float32) - soft))
    composite(picture, colour, _rounded(layer[..., 3]), 0, 0)


def lay_back(
    picture: NDArray[np.uint8],
    drawn: NDArray[np.float32],
    crops: NDArray[np.uint8] | NDArray[np.float16],
    matrices: NDArray[np.float32],
    detail: float,
) -> None:
    """See the package."""
    if crops.dtype != np.uint8:
        crops = _rounded((crops[:, :3].astype(np.float32) + 1) * np.float32(127.5)).transpose(0, 2, 3, 1)
    window = _window(drawn.shape[1])[..., None]
    for answer, crop, matrix in zip(drawn, crops, matrices, strict=True):
        faded = _rounded(np.concatenate([answer[..., :3], 255 * answer[..., 3:] * window], axis=2))
        faded[..., 3] = _without_haze(faded[..., 3])
        _lay(picture, faded, crop[..., :3], matrix, detail)

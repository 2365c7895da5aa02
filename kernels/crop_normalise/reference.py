"""Definition of `crop_normalise` in plain NumPy; see the package for the contract."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.crop_normalise import LARGEST_STEP, SMALLEST_AREA, STRETCH_OCTAVES


def _bilinear(values: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = values.shape[:2]
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    top = values[y0, x0] * (1 - fx) + values[y0, x1] * fx
    bottom = values[y1, x0] * (1 - fx) + values[y1, x1] * fx
    return (top * (1 - fy) + bottom * fy).astype(np.float32)


def _read(
    values: NDArray[np.float32], matrix: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32]
) -> NDArray[np.float32]:
    m = matrix.astype(np.float32)
    return _bilinear(values, m[0, 0] * x + m[0, 1] * y + m[0, 2], m[1, 0] * x + m[1, 1] * y + m[1, 2])


def _colours(picture: NDArray[np.float32], matrix: NDArray[np.float32], size: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    step = float(np.hypot(*matrix[:, 0]))
    taps = max(1, int(np.ceil(np.float32(step) / np.float32(LARGEST_STEP))))
    offsets = ((np.arange(taps) + 0.5) / taps - 0.5).astype(np.float32)
    total = sum(_read(picture, matrix, x + dx, y + dy) for dy in offsets for dx in offsets)
    return np.clip(np.floor(np.asarray(total) / np.float32(taps * taps) + np.float32(0.5)), 0, 255).astype(np.uint8)


def _stretch(backward: NDArray[np.float32], matrix: NDArray[np.float32], size: int, unit: float) -> NDArray[np.uint8]:
    y, x = np.minimum(np.mgrid[0:size, 0:size], size - 2).astype(np.float32)
    here = _read(backward, matrix, x, y)
    by_x, by_y = _read(backward, matrix, x + 1, y) - here, _read(backward, matrix, x, y + 1) - here
    area = np.abs(by_x[..., 0] * by_y[..., 1] - by_x[..., 1] * by_y[..., 0]) / np.float32(unit) ** 2
    octaves = np.clip(np.log2(np.maximum(area, SMALLEST_AREA)), -STRETCH_OCTAVES, STRETCH_OCTAVES)
    return (128 + octaves * (127 / STRETCH_OCTAVES)).astype(np.uint8)


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
    size, wide = drawings.shape[1], picture.astype(np.float32)
    for i, matrix in enumerate(matrices):
        seen = np.dstack([
            _colours(wide, matrix, size), drawings[i], references[i], _stretch(backward, matrix, size, float(units[i]))
        ])  # fmt: skip
        if crops.dtype == np.uint8:
            crops[i] = seen
        else:
            crops[i] = (seen.transpose(2, 0, 1) / np.float32(127.5) - 1).astype(np.float16)

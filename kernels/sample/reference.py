"""Definition of `sample` in plain NumPy; see the package for the contract."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def sample(source: NDArray[np.uint8], backward: NDArray[np.float32], out: NDArray[np.uint8]) -> None:
    """See the package."""
    height, width = source.shape[:2]
    x = np.floor(np.clip(backward[..., 0], 0, width - 1) * np.float32(256) + np.float32(0.5)).astype(np.int32)
    y = np.floor(np.clip(backward[..., 1], 0, height - 1) * np.float32(256) + np.float32(0.5)).astype(np.int32)
    x0, y0 = x >> 8, y >> 8
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    fx, fy = (x & 255)[..., None], (y & 255)[..., None]
    wide = source.astype(np.int32)
    top = wide[y0, x0] * (256 - fx) + wide[y0, x1] * fx
    bottom = wide[y1, x0] * (256 - fx) + wide[y1, x1] * fx
    out[...] = (top * (256 - fy) + bottom * fy + 32768) >> 16

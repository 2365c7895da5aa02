"""Definition of `composite` in plain NumPy; see the package for the contract."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def composite(
    canvas: NDArray[np.uint8], layer: NDArray[np.uint8], matte: NDArray[np.uint8], left: int, top: int
) -> None:
    """See the package."""
    rows, columns = matte.shape
    y0, y1 = max(0, -top), min(rows, canvas.shape[0] - top)
    x0, x1 = max(0, -left), min(columns, canvas.shape[1] - left)
    if y0 >= y1 or x0 >= x1:
        return
    part = canvas[top + y0 : top + y1, left + x0 : left + x1]
    alpha = matte[y0:y1, x0:x1, None].astype(np.int32)
    mixed = part.astype(np.int32) * (255 - alpha) + layer[y0:y1, x0:x1].astype(np.int32) * alpha
    part[...] = (2 * mixed + 255) // 510

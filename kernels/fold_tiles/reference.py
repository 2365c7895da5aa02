"""Definition of `fold_tiles` in plain NumPy; see the package for the contract."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fold_tiles(
    picture: NDArray[np.float32], left: float, top: float, step_x: float, step_y: float, fold: NDArray[np.float32]
) -> None:
    """See the package."""
    rows, columns = fold.shape
    y = np.floor((np.arange(picture.shape[0]) + 0.5 - top) / step_y).astype(np.int64) % rows
    x = np.floor((np.arange(picture.shape[1]) + 0.5 - left) / step_x).astype(np.int64) % columns
    total = np.zeros(fold.shape)
    np.add.at(total, (y[:, None], x[None]), picture)
    fold[...] = total

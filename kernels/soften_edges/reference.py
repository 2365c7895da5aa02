"""Definition of `soften_edges` in plain NumPy; see the package for the contract."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def soften_edges(
    picture: NDArray[np.uint8], backward: NDArray[np.float32], limit_px: float, out: NDArray[np.uint8]
) -> None:
    """See the package."""
    height, width = picture.shape[:2]
    limit = np.float32(limit_px)
    jumps = np.zeros((height, width), bool)
    across = (np.abs(backward[:, 1:] - backward[:, :-1]) > limit).any(-1)
    down = (np.abs(backward[1:] - backward[:-1]) > limit).any(-1)
    jumps[:, 1:] |= across
    jumps[:, :-1] |= across
    jumps[1:] |= down
    jumps[:-1] |= down
    out[...] = picture
    if height < 3 or width < 3:
        return
    wide = picture.astype(np.int32)
    parts = [wide[y : y + height - 2, x : x + width - 2] for y in range(3) for x in range(3)]
    mean = ((2 * np.sum(parts, axis=0) + 9) // 18).astype(np.uint8)
    inner = jumps[1:-1, 1:-1]
    out[1:-1, 1:-1][inner] = mean[inner]

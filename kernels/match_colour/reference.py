"""Definition of `match_colour` in plain NumPy; see the package for the contract."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray


def match_colour(picture: NDArray[np.uint8], table: NDArray[np.float32], out: NDArray[np.uint8]) -> None:
    """See the package."""
    size = len(table)
    place = picture.astype(np.float32) * np.float32((size - 1) / 255)
    low = np.minimum(place.astype(np.int32), size - 2)
    share = place - low
    total = np.zeros(picture.shape, np.float32)
    for corner in product((0, 1), repeat=3):
        weight = np.prod(np.where(corner, share, 1 - share), axis=-1, keepdims=True)
        b, g, r = np.moveaxis(low + np.array(corner), -1, 0)
        total += weight * table[b, g, r]
    out[...] = np.clip(np.floor(total + np.float32(0.5)), 0, 255)

"""Compile what the first frames may not all need: kernels that have one form for small work and one for large."""

from __future__ import annotations

import numpy as np

from kernels.composite.cpu import composite
from kernels.lay_back.cpu import lay_back


def warm_up() -> None:
    """An eye that opens, or a face that comes near, must not be the first to ask for either."""
    for side in (16, 300):
        picture = np.zeros((side, side, 3), np.uint8)
        composite(picture, picture.copy(), np.full((side, side), 128, np.uint8), 0, 0)
        drawn = np.full((1, side, side, 4), 1, np.float32)
        lay_back(
            picture, drawn, np.zeros((1, side, side, 10), np.uint8), np.array([[[1, 0, 0], [0, 1, 0]]], np.float32)
        )

"""Compile what drawing a first picture does not: kernels that have one form for small work and one for large, and the mark."""

from __future__ import annotations

import numpy as np

from kernels.composite.cpu import composite
from kernels.embed_mark.cpu import embed_mark
from kernels.lay_back.cpu import lay_back


def warm_up() -> None:
    """An eye that opens, a face that comes near, or the first picture that leaves must not be the first to ask for one."""
    for side in (16, 300):
        picture = np.zeros((side, side, 3), np.uint8)
        composite(picture, picture.copy(), np.full((side, side), 128, np.uint8), 0, 0)
        embed_mark(picture, np.zeros((side, side), np.int8))
        drawn = np.full((1, side, side, 4), 1, np.float32)
        matrix = np.array([[[1, 0, 0], [0, 1, 0]]], np.float32)
        lay_back(picture, drawn, np.zeros((1, side, side, 10), np.uint8), matrix, 0.5)

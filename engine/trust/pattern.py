"""From a tile of chips to what is added to a picture."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.trust.chips import CELLS_HIGH, COLUMNS, ROWS
from kernels.embed_mark import UNIT

STRENGTH: Final = 0.8  # root mean square in a plain part of a picture, grey levels
PEAK: Final = 127  # of int8


def cell_px(height_px: int) -> float:
    """Side of a cell in a picture of so many lines."""
    return height_px / CELLS_HIGH


def pattern_of(tile: NDArray[np.int8], width_px: int, height_px: int) -> NDArray[np.int8]:
    """(height, width) int8 for `kernels.embed_mark`: the tile repeated from the top left, its chips' edges rounded off."""
    cell = cell_px(height_px)
    across = -(-width_px // max(1, int(COLUMNS * cell))) + 1
    down = -(-height_px // max(1, int(ROWS * cell))) + 1
    wide = np.tile(tile.astype(np.float32), (down, across))
    x, y = ((np.arange(n, dtype=np.float32) + 0.5) / cell - 0.5 for n in (width_px, height_px))
    map_x, map_y = np.meshgrid(x, y)
    smooth = cv2.remap(wide, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)
    smooth *= STRENGTH * UNIT / float(np.sqrt(np.mean(smooth**2)))
    return np.clip(np.rint(smooth), -PEAK, PEAK).astype(np.int8)

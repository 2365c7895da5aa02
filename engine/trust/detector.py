"""Find a mark in pictures of which nothing is known: not how large they once were, not what was cut off, not where they lie.

Spread-spectrum detection (Cox et al., IEEE Trans. Image Processing 6(12), 1997) of a pattern that repeats (Kalker et
al., SPIE 3657, 1999). The pattern stands still, so what is left of it after compression adds up over time, while what
moves does not. Pictures are whitened first: the local mean is taken away and the rest divided by how busy it is there.
Then each size that the marked picture may have is tried: the mean is cut into tiles, the tiles are added, and a Fourier
transform compares their sum with the public chips at every offset at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.trust.chips import CELLS_HIGH, COLUMNS, ROWS, sync_tile
from kernels.fold_tiles.cpu import fold_tiles

Floats = NDArray[np.float32]

LEAST_CELL_PX: Final = 2.0  # of a level of the pyramid; the most is twice that
SMALLEST, LARGEST = 0.45, 1.45  # lines of the marked picture, of those of the picture looked at
FINER: Final = 0.007  # from one size to the next, of it: a third of a cell at the picture's edge
SAMPLES: Final = 2  # of a cell's side
LOCAL_PX: Final = 9  # side of the local mean, of a level
ROOM_PX: Final = 19  # and of how busy it is
QUIET: Final = 0.35  # grey levels: less than this is not made louder
QUIET_MEAN: Final = 0.15  # the same of the mean of whitened pictures
LOUDEST: Final = 3.0  # of what is whitened
FOUND: Final = 8.5  # standard deviations above chance; `mimicam bench mark` says what chance reaches


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the tile lies in the pictures looked at, in their pixels."""

    cell_x_px: float
    cell_y_px: float
    left_px: float  # of a tile's first cell's edge
    top_px: float


@dataclass(frozen=True, slots=True)
class Finding:
    """The best place for a mark, whether there is one or not."""

    score: float  # standard deviations above what chance gives
    placement: Placement
    tile: Floats  # (ROWS, COLUMNS): what was found in each cell

    @property
    def found(self) -> bool:
        """A mark is there."""
        return self.score >= FOUND


class Listener:
    """Adds pictures of one size up."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self.size = width_px, height_px
        smallest = SMALLEST * height_px / CELLS_HIGH
        largest = LARGEST * height_px / CELLS_HIGH
        first = max(0, int(np.floor(np.log2(smallest / LEAST_CELL_PX))))
        last = max(0, int(np.floor(np.log2(largest / LEAST_CELL_PX))))
        self._levels = range(first, last + 1)
        self._sums: dict[int, Floats] = {}
        self.pictures = 0

    def add(self, luma: NDArray[np.uint8]) -> None:
        """One picture (height, width) uint8."""
        for level in self._levels:
            self._add(level, whitened(_at_level(luma, level)))
        self.pictures += 1

    def merge(self, other: Listener) -> None:
        """Add what another one heard, of pictures of the same size."""
        for level, total in other._sums.items():
            self._add(level, total)
        self.pictures += other.pictures

    def _add(self, level: int, white: Floats) -> None:
        self._sums[level] = white if level not in self._sums else self._sums[level] + white

    def finding(self) -> Finding:
        """The best of all places, after at least one picture."""
        maps = {level: whitened(total / np.float32(self.pictures), QUIET_MEAN) for level, total in self._sums.items()}
        height = self.size[1]
        sizes = height / CELLS_HIGH * np.exp(np.arange(np.log(SMALLEST), np.log(LARGEST), FINER))
        best = max((_try(maps, Placement(cell, cell, 0.0, 0.0)) for cell in sizes), key=_score)
        return _refined(maps, best)


def _at_level(luma: NDArray[np.uint8], level: int) -> Floats:
    picture = luma.astype(np.float32)
    if level == 0:
        return picture
    scale = 2.0**-level
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.float32)


def whitened(picture: Floats, quiet: float = QUIET) -> Floats:
    """Less its local mean, and as loud everywhere."""
    detail = picture - _mean(picture, LOCAL_PX)
    loud = np.sqrt(np.maximum(_mean(detail * detail, ROOM_PX), 0)) + np.float32(quiet)
    return np.clip(detail / loud, -LOUDEST, LOUDEST, dtype=np.float32)


def _mean(picture: Floats, side_px: int) -> Floats:
    """Of squares of means of squares: nearly a Gaussian's, and as quick for any side."""
    once = cv2.blur(picture, (side_px, side_px))
    return np.asarray(cv2.blur(once, (side_px, side_px)), np.float32)


@cache
def _template() -> Floats:
    """Spectrum of the public chips, whitened as pictures are."""
    wide = cv2.resize(
        np.tile(sync_tile().astype(np.float32), (3, 3)), None, fx=SAMPLES, fy=SAMPLES, interpolation=cv2.INTER_CUBIC
    )
    side = 2 * round(LOCAL_PX * SAMPLES / (1.4 * LEAST_CELL_PX) / 2) - 1  # at the middle of the cells of a level
    wide -= _mean(wide, side)
    rows, columns = ROWS * SAMPLES, COLUMNS * SAMPLES
    tile = wide[rows : 2 * rows, columns : 2 * columns]
    return np.asarray(cv2.dft(np.ascontiguousarray(tile)), np.float32)


def _folded(level_map: Floats, level: int, place: Placement) -> Floats:
    """(ROWS * SAMPLES, COLUMNS * SAMPLES): all tiles added up."""
    scale = 2.0**-level
    fold = np.empty((ROWS * SAMPLES, COLUMNS * SAMPLES), np.float32)
    fold_tiles(
        level_map, place.left_px * scale, place.top_px * scale,
        place.cell_x_px * scale / SAMPLES, place.cell_y_px * scale / SAMPLES, fold,
    )  # fmt: skip
    return fold


def _level_of(maps: dict[int, Floats], cell: float) -> int:
    level = int(np.floor(np.log2(cell / LEAST_CELL_PX)))
    return min(max(level, min(maps)), max(maps))


def _try(maps: dict[int, Floats], place: Placement) -> tuple[float, Placement]:
    """The best offset for cells of one size, in half cells from the given one."""
    level = _level_of(maps, min(place.cell_x_px, place.cell_y_px))
    spectrum = cv2.dft(_folded(maps[level], level, place))
    answer = cv2.idft(cv2.mulSpectrums(spectrum, _template(), 0, conjB=True))
    _, highest, _, (column, row) = cv2.minMaxLoc(answer)
    score = highest / (float(cv2.meanStdDev(answer)[1][0, 0]) + 1e-9)
    left, top = place.left_px + column * place.cell_x_px / SAMPLES, place.top_px + row * place.cell_y_px / SAMPLES
    return score, replace(place, left_px=left, top_px=top)


def _refined(maps: dict[int, Floats], best: tuple[float, Placement]) -> Finding:
    """Climb to the best size and offset near one."""
    for step in (FINER / 2, FINER / 4, FINER / 8):
        for x, y in ((1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1)):
            p = best[1]
            near = Placement(p.cell_x_px * (1 + x * step), p.cell_y_px * (1 + y * step), 0.0, 0.0)
            best = max(best, _try(maps, near), key=_score)
    for right, down in ((0.25, 0.0), (0.0, 0.25), (0.25, 0.25)):
        p = best[1]
        near = replace(p, left_px=p.left_px + right * p.cell_x_px, top_px=p.top_px + down * p.cell_y_px)
        best = max(best, _try(maps, near), key=_score)
    score, place = best
    level = _level_of(maps, min(place.cell_x_px, place.cell_y_px))
    fold = _folded(maps[level], level, place)
    return Finding(score, place, fold.reshape(ROWS, SAMPLES, COLUMNS, SAMPLES).mean((1, 3)))


def _score(found: tuple[float, Placement]) -> float:
    return found[0]

"""Where a mark's chips lie: a tile of cells that is repeated over the picture.

A third of the cells is the same for everybody (`sync`): it is found without any key and says that mimicam made the
picture, at which size and where the tile begins. The others carry the payload, in an order and with signs that only the
installation's key tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import shake_256
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.trust.payload import CHIPS, SYMBOLS, Payload, chips_of

ROWS: Final = 45  # of a tile, cells
COLUMNS: Final = 64
CELLS: Final = ROWS * COLUMNS
CELLS_HIGH: Final = 90  # in a picture: a cell is 8 px at 720 lines
SYNC_CELLS: Final = CELLS - SYMBOLS * CHIPS
PUBLIC: Final = b"mimicam mark 1"  # anybody may know it; another would be another mark


def _words(seed: bytes, count: int) -> NDArray[np.uint64]:
    """Numbers that only the seed tells, the same on every machine."""
    return np.frombuffer(shake_256(seed).digest(8 * count), "<u8")


@dataclass(frozen=True, slots=True)
class Sync:
    """The public part."""

    cells: NDArray[np.int64]  # (SYNC_CELLS,) index into the tile, row by row
    chips: NDArray[np.int8]  # (SYNC_CELLS,) -1 or 1
    others: NDArray[np.int64]  # (SYMBOLS * CHIPS,) the cells that are left


@cache
def sync() -> Sync:
    """The public part, the same for everybody."""
    order = np.argsort(_words(PUBLIC, CELLS), kind="stable")
    signs = _signs(PUBLIC + b" signs", SYNC_CELLS)
    return Sync(order[:SYNC_CELLS], signs, np.sort(order[SYNC_CELLS:]))


def sync_tile() -> NDArray[np.int8]:
    """(ROWS, COLUMNS) int8: the public chips, 0 where the payload lies."""
    tile = np.zeros(CELLS, np.int8)
    tile[sync().cells] = sync().chips
    return tile.reshape(ROWS, COLUMNS)


@dataclass(frozen=True, slots=True)
class Key:
    """What only an installation knows: where its payload's chips lie."""

    secret: bytes  # 32 bytes

    def tile(self, payload: Payload) -> NDArray[np.int8]:
        """(ROWS, COLUMNS) int8 of -1 and 1: the public chips and the payload's."""
        cells, signs = self._places()
        tile = sync_tile().reshape(-1).copy()
        tile[cells] = chips_of(payload).reshape(-1) * signs
        return tile.reshape(ROWS, COLUMNS)

    def soft_chips(self, tile: NDArray[np.float32]) -> NDArray[np.float32]:
        """(15, 128) chips with noise, from what was found in a tile (ROWS, COLUMNS)."""
        cells, signs = self._places()
        return (tile.reshape(-1)[cells] * signs).reshape(SYMBOLS, CHIPS)

    def _places(self) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
        others = sync().others
        order = np.argsort(_words(self.secret + b" places", len(others)), kind="stable")
        return others[order], _signs(self.secret + b" signs", len(others))


def _signs(seed: bytes, count: int) -> NDArray[np.int8]:
    return np.where(_words(seed, count) & np.uint64(1), 1, -1).astype(np.int8)

"""A strip of black and white cells along the top of a picture: frame number and time, with a checksum.

Two rows of 44 cells over the whole width, each row a 45th of the height: black, white, 40 bits, white, black. The 80 bits
are the frame's number (24), the time in units of 10 microseconds (40) and their CRC-16/CCITT (16), most significant
first. Everything is relative to the picture's size, so scaling does no harm; the four outer cells of a row tell black
from white, so brightness and contrast do none.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

COLUMNS: Final = 44
ROWS: Final = 2
HEIGHT_SHARE: Final = 1 / 45  # of the picture, for a row
TICKS_PER_S: Final = 100_000
LEAST_CONTRAST: Final = 40.0  # grey levels between black and white cells; less is no strip
EDGE: Final = 0.3  # share of a cell on each side that is not looked at: compression blurs it


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a strip says."""

    index: int  # frame number, modulo 2**24
    time_s: float  # to 10 microseconds, modulo 127 days


def strip_height(height_px: int) -> int:
    """Rows of pixels that the strip takes in a picture of this height."""
    return max(ROWS, round(ROWS * HEIGHT_SHARE * height_px))


def _bits(stamp: Stamp) -> NDArray[np.uint8]:
    index, ticks = stamp.index % (1 << 24), round(stamp.time_s * TICKS_PER_S) % (1 << 40)
    payload = index.to_bytes(3, "big") + ticks.to_bytes(5, "big")
    payload += binascii.crc_hqx(payload, 0xFFFF).to_bytes(2, "big")
    return np.unpackbits(np.frombuffer(payload, np.uint8))


def draw_strip(picture: NDArray[np.uint8], stamp: Stamp) -> None:
    """Paint the strip over the top of `picture` (height, width, 3), in place."""
    draw_cells(picture[: strip_height(picture.shape[0])], stamp)


def draw_cells(area: NDArray[np.uint8], stamp: Stamp) -> None:
    """Paint the strip over all of `area` (height, width, 3), in place."""
    tall, width = area.shape[:2]
    bits = _bits(stamp).reshape(ROWS, -1)
    cells = np.concatenate([np.tile([0, 1], (ROWS, 1)), bits, np.tile([1, 0], (ROWS, 1))], axis=1)
    lines = (16 + 224 * cells).astype(np.uint8)[:, _columns(width)].reshape(ROWS, 1, width, 3)
    ends = [-(-tall * row // ROWS) for row in range(ROWS + 1)]
    for line, first, last in zip(lines, ends[:-1], ends[1:], strict=True):
        area[first:last] = line


@lru_cache(maxsize=4)
def _columns(width: int) -> NDArray[np.int64]:
    """Which cell each byte of a row shows: painting the strip must not be what is measured."""
    return np.repeat(np.minimum(np.arange(width) * COLUMNS // width, COLUMNS - 1), 3)


def read_strip(picture: NDArray[np.uint8]) -> Stamp | None:
    """What the strip at the top of `picture` (height, width, 3) says; None where there is none or its checksum fails."""
    return read_cells(picture, ROWS * HEIGHT_SHARE * picture.shape[0])


def read_cells(picture: NDArray[np.uint8], tall: float) -> Stamp | None:
    """What the strip says that fills the upper `tall` px of `picture` (height, width, 3); None as above."""
    height, width = picture.shape[:2]
    levels = np.empty((ROWS, COLUMNS))
    for row in range(ROWS):
        y0, y1 = _inside(row * tall / ROWS, (row + 1) * tall / ROWS, height)
        line = picture[y0:y1].mean((0, 2))
        for column in range(COLUMNS):
            x0, x1 = _inside(column * width / COLUMNS, (column + 1) * width / COLUMNS, width)
            levels[row, column] = line[x0:x1].mean()
    black, white = levels[:, [0, -1]].mean(), levels[:, [1, -2]].mean()
    if white - black < LEAST_CONTRAST:
        return None
    payload = np.packbits(levels[:, 2:-2].reshape(-1) > (black + white) / 2).tobytes()
    if binascii.crc_hqx(payload[:8], 0xFFFF) != int.from_bytes(payload[8:], "big"):
        return None
    return Stamp(int.from_bytes(payload[:3], "big"), int.from_bytes(payload[3:8], "big") / TICKS_PER_S)


def _inside(begin: float, end: float, limit: int) -> tuple[int, int]:
    """Whole pixels of the middle of a cell, at least one."""
    margin = EDGE * (end - begin)
    first = min(round(begin + margin), limit - 1)
    return first, max(first + 1, round(end - margin))

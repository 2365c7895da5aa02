"""What every picture of a puppet bears when it leaves: the badge, then the mark."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.trust.badge import Badge
from engine.trust.chips import Key
from engine.trust.pattern import pattern_of
from engine.trust.payload import Payload
from kernels.embed_mark.cpu import embed_mark


@dataclass(frozen=True, slots=True)
class Seal:
    """Of one puppet, for pictures of one size."""

    pattern: NDArray[np.int8]  # (height, width)
    badge: Badge | None

    @classmethod
    def of(cls, key: Key, puppet: int, width_px: int, height_px: int, badge: Badge | None) -> Seal:
        """`puppet` is the number by which marks name it. The day is today, for as long as the seal is used."""
        tile = key.tile(Payload(puppet, dt.date.today()))
        return cls(pattern_of(tile, width_px, height_px), badge)

    def set(self, picture: NDArray[np.uint8]) -> None:
        """Change a picture (height, width, 3) in place."""
        if self.badge is not None:
            self.badge.draw(picture)
        embed_mark(picture, self.pattern)

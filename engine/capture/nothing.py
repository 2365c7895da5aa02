"""No camera: empty frames at a steady rate, for a puppet that sound, keys or nothing drives."""

from __future__ import annotations

import time

import numpy as np

from engine.live.frame import Frame
from engine.live.pacer import Pacer

NO_PICTURE = np.zeros((2, 2, 3), np.uint8)


class NoCamera:
    """Never ends by itself."""

    def __init__(self, rate_hz: float) -> None:
        self._pacer, self._index, self._closed = Pacer(rate_hz), -1, False
        self.reconnected = 0

    def read(self) -> Frame | None:
        """The next empty frame when it is due."""
        if self._closed:
            return None
        self._pacer.wait()
        self._index += 1
        return Frame(NO_PICTURE, self._index, time.monotonic())

    def close(self) -> None:
        """End it."""
        self._closed = True

"""A camera that does what is written, for tests and benchmarks.

The script is words `STATE*FRAMES`, e.g. `ok*30 dark*10 silent*30 ok*30 fail`:

    ok      the given pictures, over and over          dark    black
    noise   random pixels                              silent  the read blocks for so many frames' time
    skip    the frame counter goes on without a frame  fail    the read raises a SourceError
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.errors import SourceError
from engine.live.frame import Frame
from engine.live.pacer import Pacer
from engine.live.script import states_of

STATES = ("ok", "dark", "noise", "silent", "skip", "fail")
SILENT_PERIOD_S = 1 / 30  # of a camera without a rate


class SyntheticCamera:
    """Follows a script, then ends."""

    def __init__(self, script: str, pictures: Sequence[NDArray[np.uint8]], rate_hz: float | None = None) -> None:
        """`pictures` (height, width, 3) are shown in turn; without `rate_hz` frames come as fast as they are read."""
        self._steps: Iterator[str] = iter(states_of(script, STATES))
        self._pictures = list(pictures) or [np.full((360, 640, 3), 90, np.uint8)]
        self._pacer = Pacer(rate_hz) if rate_hz else None
        self._random = np.random.default_rng(0)
        self._index = -1
        self._closed = False
        self.reconnected = 0

    def read(self) -> Frame | None:
        """What the script says next; None at its end."""
        for state in self._steps:
            if self._closed:
                return None
            self._index += 1
            if self._pacer is not None:
                self._pacer.wait()
            if state == "silent":
                time.sleep(0.0 if self._pacer is not None else SILENT_PERIOD_S)
            if state in ("skip", "silent"):
                continue
            if state == "fail":
                raise SourceError(wanted="the next frame", found="the script's 'fail'", advice="Change the script.")
            return Frame(self._picture(state), self._index, time.monotonic())
        return None

    def _picture(self, state: str) -> NDArray[np.uint8]:
        picture = self._pictures[self._index % len(self._pictures)]
        if state == "ok":
            return picture
        if state == "noise":
            return self._random.integers(0, 256, picture.shape, np.uint8)
        return np.zeros_like(picture)

    def close(self) -> None:
        """End it."""
        self._closed = True

"""Playing a performance file: it takes the place of camera and tracker, everything behind them is as ever."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from engine.capture.nothing import NO_PICTURE
from engine.live.frame import Frame
from engine.perform.recording import Moment, load_performance
from engine.track.tracker import Tracked


def frames_of(moments: list[Moment]) -> Iterator[Frame]:
    """An empty frame for each moment, at its own time."""
    return (Frame(NO_PICTURE, index, moment.time_s) for index, moment in enumerate(moments))


class Replay:
    """A source of empty frames at the recorded times, and the tracker that knows what was seen in them."""

    def __init__(self, path: Path, *, loop: bool = False) -> None:
        """SourceError when the file can't be used."""
        self.moments = load_performance(path)
        self._loop = loop
        self._next, self._index = 0, -1
        self._begin_s: float | None = None
        self._length_s = self.moments[-1].time_s + self._last_step_s()
        self.reconnected = 0

    def _last_step_s(self) -> float:
        """How long the last moment lasts: as long as the one before."""
        return self.moments[-1].time_s - self.moments[-2].time_s if len(self.moments) > 1 else 1 / 30

    def read(self) -> Frame | None:
        """The next frame when its time has come; None at the end."""
        if self._next == len(self.moments):
            if not self._loop:
                return None
            self._next = 0
            self._begin_s = (self._begin_s or 0.0) + self._length_s
        now_s = time.monotonic()
        self._begin_s = now_s if self._begin_s is None else self._begin_s
        due_s = self._begin_s + self.moments[self._next].time_s
        if due_s > now_s:
            time.sleep(due_s - now_s)
        self._next += 1
        self._index += 1
        return Frame(NO_PICTURE, self._index, time.monotonic())

    def close(self) -> None:
        """Nothing to free."""

    def track(self, frame: Frame) -> Tracked:
        """What was seen in that frame."""
        return tracked(self.moments, frame)


def tracked(moments: list[Moment], frame: Frame) -> Tracked:
    """The moment of a frame, by its index."""
    return Tracked(frame, None, None, moments[frame.index % len(moments)].performance)

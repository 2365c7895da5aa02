"""Recording a performance: the loop with a renderer that takes notes."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from engine.files import require_place
from engine.live.frame import Frame
from engine.live.meter import Meter
from engine.live.pipeline import Pipeline, Source
from engine.output.null import NullSink
from engine.output.stage import OutputStage
from engine.perform.recording import MOST_FRAMES, Moment, save_performance
from engine.track.tracker import Tracked


class Notes:
    """A render stage that shows nothing and keeps every performance."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self._begin_s: float | None = None

    def __call__(self, tracked: Tracked) -> None:
        """Keep it; what is beyond the longest file is not."""
        now_s = tracked.frame.captured_s
        self._begin_s = now_s if self._begin_s is None else self._begin_s
        if len(self.moments) < MOST_FRAMES:
            self.moments.append(Moment(now_s - self._begin_s, tracked.performance))

    def idle(self, now_s: float) -> None:
        """Nothing is seen, nothing is kept."""


class Track(Protocol):
    """Who performs: a tracker, or a whole `Drive`."""

    def __call__(self, frame: Frame, /) -> Tracked:
        """What is performed in a frame."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


def record(source: Source, tracker: Track, path: Path, seconds: float | None) -> list[Moment]:
    """Track `source` until it ends, `seconds` have passed or Ctrl-C, and write what was seen, also when something fails.

    Returns what was written. MimicamError for whatever stopped it before its time.
    """
    notes, meter = Notes(), Meter()
    try:
        require_place(path, "the performance")
        Pipeline(source, tracker, notes, OutputStage([NullSink()], 30.0), meter).run(seconds)
    finally:
        tracker.close()
        if notes.moments:
            save_performance(notes.moments, path)
    return notes.moments

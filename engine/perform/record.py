"""Recording a performance: the loop with a renderer that takes notes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from engine.errors import StageError
from engine.files import require_place
from engine.live.frame import Frame
from engine.live.meter import Meter
from engine.live.pipeline import Pipeline, Source
from engine.live.signals import heard, undisturbed
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
        if not self.full:
            self.moments.append(Moment(now_s - self._begin_s, tracked.performance))

    @property
    def full(self) -> bool:
        """There is no room for more in a file."""
        return len(self.moments) == MOST_FRAMES

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


def record(
    source: Source,
    tracker: Track,
    path: Path,
    seconds: float | None,
    recapture: Callable[[], None] = lambda: None,
) -> list[Moment]:
    """Track `source` until it ends, `seconds` have passed, a file is full, Ctrl-C, SIGTERM or SIGHUP, and write what was seen,
    also when something fails.

    Returns what was written. MimicamError for whatever stopped it before its time.
    """
    notes = Notes()
    pipeline = Pipeline(source, tracker, notes, OutputStage([NullSink()], 30.0), Meter())

    def watch() -> None:
        if notes.full:
            pipeline.stop()

    hangs = False
    try:
        require_place(path, "the performance")
        with heard(recapture):
            pipeline.run(seconds, watch)
    except StageError:
        hangs = True  # a stage may still be using the tracker
        raise
    finally:
        if notes.moments:
            with undisturbed():
                save_performance(notes.moments, path)
        if not hangs:
            tracker.close()
    return notes.moments

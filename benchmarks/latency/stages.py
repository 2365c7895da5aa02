"""What the measurement puts around the loop: a camera that stamps, a renderer that carries, an output that reads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import cv2
import numpy as np

from benchmarks.latency.strip import Stamp, draw_strip, read_strip, strip_height
from engine.capture.open import demo_clip
from engine.capture.video_file import VideoFile
from engine.live.frame import Frame
from engine.live.mailbox import Mailbox
from engine.live.pacer import Pacer
from engine.live.pipeline import Render
from engine.render.scene import Rendered
from engine.track.tracker import Tracked

T = TypeVar("T")


class StampingCamera:
    """The demo clip over and over at an exact rate; each picture says its number and the time at which it was handed out."""

    def __init__(self, size_px: tuple[int, int], rate_hz: float) -> None:
        self._size = size_px
        self._pacer = Pacer(rate_hz)
        self._video = VideoFile(demo_clip())
        self._frames = iter(self._video)
        self._index = -1
        self.reconnected = 0

    def read(self) -> Frame | None:
        """The next frame, decoded before it is due."""
        decoded = next(self._frames, None)
        if decoded is None:
            self._video.close()
            self._video = VideoFile(demo_clip())
            self._frames = iter(self._video)
            return self.read()
        picture = decoded.bgr
        if picture.shape[1::-1] != self._size:
            picture = np.asarray(cv2.resize(picture, self._size, interpolation=cv2.INTER_LINEAR), np.uint8)
        self._index += 1
        self._pacer.wait()
        now_s = time.monotonic()
        draw_strip(picture, Stamp(self._index, now_s))
        return Frame(picture, self._index, now_s)

    def close(self) -> None:
        """Free the clip."""
        self._video.close()


@dataclass(slots=True)
class Times:
    """When each stage worked on which frame: (stage, index, begin, end), seconds. Safe for many threads."""

    spans: deque[tuple[str, int, float, float]] = field(default_factory=lambda: deque(maxlen=4000))

    def add(self, stage: str, index: int, begin_s: float) -> None:
        """A stage finished a frame now."""
        self.spans.append((stage, index, begin_s, time.monotonic()))


def timed_track(track: Callable[[Frame], Tracked], times: Times) -> Callable[[Frame], Tracked]:
    """The track stage, with its times noted."""

    def stage(frame: Frame) -> Tracked:
        begin_s = time.monotonic()
        tracked = track(frame)
        times.add("track", frame.index, begin_s)
        return tracked

    return stage


class CarryingRender:
    """The render stage; its answer carries the strip of the frame that it answers. Optionally slower than it is."""

    def __init__(self, render: Render, times: Times, extra_s: float = 0.0) -> None:
        self._render, self._times, self._extra_s = render, times, extra_s

    def __call__(self, tracked: Tracked) -> Rendered:
        """Render, then copy the strip."""
        begin_s = time.monotonic()
        rendered: Rendered = self._render(tracked)
        time.sleep(self._extra_s)
        source, target = tracked.frame.bgr, rendered.frame.bgr
        strip = source[: strip_height(source.shape[0])]
        target[: strip_height(target.shape[0])] = cv2.resize(
            strip, (target.shape[1], strip_height(target.shape[0])), interpolation=cv2.INTER_AREA
        )
        self._times.add("render", tracked.frame.index, begin_s)
        return rendered

    def idle(self, now_s: float) -> None:
        """Nothing is shown between frames: it would have no strip of its own."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One picture at the output."""

    index: int
    sent_s: float  # what the strip says
    arrived_s: float


class ReadingSink:
    """Reads the strip of every picture that it gets. Optionally slow."""

    wants_repeats = True

    def __init__(self, slow_s: float = 0.0) -> None:
        self.arrivals: list[Arrival] = []
        self.unreadable = 0
        self.left_out = 0
        self._slow_s = slow_s

    def send(self, frame: Frame) -> None:
        """Note what arrived when."""
        arrived_s = time.monotonic()
        stamp = read_strip(frame.bgr)
        if stamp is None:
            self.unreadable += 1
        else:
            self.arrivals.append(Arrival(stamp.index, stamp.time_s, arrived_s))
        time.sleep(self._slow_s)

    def close(self) -> None:
        """Nothing to finish."""


class Backlog(Mailbox[T]):
    """What most programs put between their stages: a queue without end, first in first out."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[T] = deque()

    def put(self, item: T) -> bool:
        """Add to the end. False when it is closed."""
        with self._changed:
            if self._closed:
                return False
            self._waiting.append(item)
            self._changed.notify()
            return True

    def take(self, timeout_s: float | None = None) -> T | None:
        """The oldest item; waits for one."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._closed, timeout_s)
            return self._waiting.popleft() if self._waiting else None

    def close(self) -> None:
        """No more items; those that wait are dropped, or a run would take as long to end as it has fallen behind."""
        with self._changed:
            self._waiting.clear()
        super().close()

    @property
    def done(self) -> bool:
        """Closed, and nothing left in it."""
        with self._changed:
            return self._closed and not self._waiting

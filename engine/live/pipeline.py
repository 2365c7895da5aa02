"""The live loop: four threads, a mailbox between each two, and one place where all of them stop.

    capture -> (mailbox) -> track -> (mailbox) -> render -> (mailbox) -> output

A stage is a callable that knows nothing of threads. When one ends, the mailboxes beside it close, so both neighbours end
too, the later ones after they have taken what is left. A failure closes all of them; it is kept and raised by `run`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from engine.errors import MimicamError, StageError
from engine.live.frame import Frame
from engine.live.mailbox import Mailbox
from engine.live.meter import Meter

JOIN_S = 5.0  # how long a stage may take to notice that the run is over


class Source(Protocol):
    """Where frames come from. `read` blocks until the next one is due; None is the end."""

    def read(self) -> Frame | None:
        """The next frame, or None at the end."""
        ...

    def close(self) -> None:
        """Free the device; also called from another thread to end a blocking `read`."""
        ...


class Pipeline:
    """One run of the loop."""

    def __init__(
        self,
        source: Source,
        track: Callable[[Frame], Any],
        render: Callable[[Any], Any],
        output: Callable[[Mailbox[Any], Meter], None],
        meter: Meter,
    ) -> None:
        """`output` reads its mailbox until that is done and keeps its own timetable."""
        self.meter = meter
        self._source = source
        self._frames: Mailbox[Frame] = Mailbox()
        self._tracked: Mailbox[Any] = Mailbox()
        self._rendered: Mailbox[Any] = Mailbox()
        self._failure: BaseException | None = None
        self._guard = threading.Lock()
        self._threads = [
            self._thread("capture", self._capture, self._frames),
            self._thread(
                "track", lambda: self._work("track", self._frames, track, self._tracked), self._frames, self._tracked
            ),
            self._thread(
                "render",
                lambda: self._work("render", self._tracked, render, self._rendered),
                self._tracked,
                self._rendered,
            ),
            self._thread("output", lambda: output(self._rendered, meter), self._rendered),
        ]

    def run(self, seconds: float | None = None, watch: Callable[[], None] | None = None) -> None:
        """Run until the source ends, `seconds` have passed, Ctrl-C, or a failure, which is raised.

        `watch` is called some times a second from the calling thread.
        """
        for thread in self._threads:
            thread.start()
        end_s = None if seconds is None else time.monotonic() + seconds
        try:
            while self._threads[-1].is_alive():
                self._threads[-1].join(0.1)
                if watch is not None:
                    watch()
                if end_s is not None and time.monotonic() >= end_s:
                    self.stop()
        except KeyboardInterrupt:
            self.meter.count("interrupted")
        finally:
            self.stop()
            for thread in self._threads:
                thread.join(JOIN_S)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End in order: no new frames; what is on its way still reaches the output."""
        self._frames.close()

    def skipped(self) -> int:
        """Frames that were overwritten in a mailbox because a stage was busy."""
        return self._frames.overwritten + self._tracked.overwritten + self._rendered.overwritten

    def _thread(self, name: str, body: Callable[[], None], *beside: Mailbox[Any]) -> threading.Thread:
        return threading.Thread(target=self._guarded, args=(name, body, beside), name=name, daemon=True)

    def _guarded(self, name: str, body: Callable[[], None], beside: tuple[Mailbox[Any], ...]) -> None:
        try:
            body()
        except BaseException as error:
            self._fail(name, error)
            beside = (self._frames, self._tracked, self._rendered)
        finally:
            for mailbox in beside:
                mailbox.close()

    def _fail(self, name: str, error: BaseException) -> None:
        with self._guard:
            if self._failure is not None:
                return
            if isinstance(error, MimicamError):
                self._failure = error
                return
            failure = StageError(
                wanted=f"stage '{name}' to go on",
                found=f"{type(error).__name__}: {error}",
                advice="This is a defect of mimicam: please report it with the lines above.",
            )
            failure.__cause__ = error
            self._failure = failure

    def _capture(self) -> None:
        try:
            while not self._frames.closed:
                frame = self._source.read()
                if frame is None or not self._frames.put(frame):
                    return
                self.meter.count("captured")
        finally:
            self._source.close()

    def _work(self, name: str, inbox: Mailbox[Any], stage: Callable[[Any], Any], outbox: Mailbox[Any]) -> None:
        while (item := inbox.take()) is not None:
            with self.meter.timed(name):
                result = stage(item)
            self.meter.count(f"{name}ed")
            if not outbox.put(result):
                return

"""The live loop: four threads, a mailbox between each two, and one place where all of them stop.

    capture -> (mailbox) -> track -> (mailbox) -> render -> (mailbox) -> output

A stage is a callable that knows nothing of threads. When one ends, the mailboxes beside it close, so both neighbours end
too, the later ones after they have taken what is left. A stage's failure closes all of them; it is kept and raised by `run`.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from engine.errors import MimicamError, StageError
from engine.live.frame import Frame
from engine.live.mailbox import Mailbox
from engine.live.meter import Meter

JOIN_S = 5.0  # how long the stages may take to end in order
SILENCE_S = 0.25  # so long without a frame, and the render stage is asked what to show meanwhile


class Source(Protocol):
    """Where frames come from. `read` blocks until the next one is due; None is the end."""

    @property
    def reconnected(self) -> int:
        """How often the device went away and came back."""
        ...

    def read(self) -> Frame | None:
        """The next frame, or None at the end."""
        ...

    def close(self) -> None:
        """Free the device. Called by the thread that reads."""
        ...


class Render(Protocol):
    """The render stage: what to show for a tracked frame, and what while none comes."""

    def __call__(self, tracked: Any, /) -> Any:
        """Answer a tracked frame."""
        ...

    def idle(self, now_s: float) -> Any | None:
        """What to show at `now_s` since the source is silent; None when there was no frame yet."""
        ...


class Pipeline:
    """One run of the loop."""

    def __init__(
        self,
        source: Source,
        track: Callable[[Frame], Any],
        render: Render,
        output: Callable[[Mailbox[Any], Meter], None],
        meter: Meter,
        mailbox: Callable[[], Mailbox[Any]] = Mailbox,
        *,
        in_turn: bool = False,
    ) -> None:
        """`output` reads its mailbox until that is done and keeps its own timetable.

        `mailbox` makes what is between the stages; benchmarks put something worse there. `in_turn` lets no frame be tracked
        while the one before is drawn: with few cores each only makes the other one slower (docs/decisions/024).
        """
        self.meter = meter
        self._source, self._track, self._render = source, track, render
        self._frames: Mailbox[Frame] = mailbox()
        self._tracked: Mailbox[Any] = mailbox()
        self._rendered: Mailbox[Any] = mailbox()
        self._in_turn = in_turn
        self._drawn: Mailbox[bool] = Mailbox()  # says that a frame was drawn, so that the next one may be tracked
        self._drawn.put(True)
        self._failure: MimicamError | None = None
        self._guard = threading.Lock()
        self._output_ended = threading.Event()
        self._threads = [
            self._thread("capture", self._run_capture, self._frames),
            self._thread("track", self._run_track, self._frames, self._tracked),
            self._thread("render", self._run_render, self._tracked, self._drawn, self._rendered),
            self._thread("output", lambda: self._run_output(output), self._rendered),
        ]

    def run(self, seconds: float | None = None, watch: Callable[[], None] | None = None) -> None:
        """Run until the source ends, `seconds` have passed, Ctrl-C, or a failure, which is raised.

        `watch` is called some times a second from the calling thread. StageError also when a stage doesn't end.
        """
        gc.freeze()  # what was loaded before: to look through it takes up to 0.1 s, in which every thread waits
        for thread in self._threads:
            thread.start()
        try:
            self._watch_over(seconds, watch)
        except KeyboardInterrupt:
            pass  # the usual way to end a live run
        finally:
            self.stop()
            deadline_s = time.monotonic() + JOIN_S
            for thread in self._threads:
                thread.join(max(0.0, deadline_s - time.monotonic()))
            gc.unfreeze()
            self._name_the_stuck()
        if self._failure is not None:
            raise self._failure

    @property
    def output_ended(self) -> bool:
        """All sinks are closed."""
        return self._output_ended.is_set()

    def stop(self) -> None:
        """End in order: no new frames; what is on its way still reaches the output."""
        self._frames.close()

    def _watch_over(self, seconds: float | None, watch: Callable[[], None] | None) -> None:
        """Return when the output has ended, or when it is time to.

        It waits for an event, not for the thread: Python 3.11 takes a thread for ended whose `join` Ctrl-C interrupts.
        """
        end_s = None if seconds is None else time.monotonic() + seconds
        while not self._output_ended.wait(0.1):
            if watch is not None:
                watch()
            if self._frames.closed or (end_s is not None and time.monotonic() >= end_s):
                return

    def _name_the_stuck(self) -> None:
        stuck = [thread.name for thread in self._threads if thread.is_alive()]
        if stuck and self._failure is None:
            self._failure = StageError(
                wanted="all stages to end",
                found=f"{' and '.join(stuck)} still busy after {JOIN_S:g} s",
                advice="A camera or an output hangs: unplug it or close the program at its other end.",
            )

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
            beside = (self._frames, self._tracked, self._drawn, self._rendered)
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
                advice="This is a defect of mimicam: please report it with the lines below.",
            )
            failure.__cause__ = error
            self._failure = failure

    def _run_capture(self) -> None:
        try:
            while not self._frames.closed:
                frame = self._source.read()
                if frame is None or not self._frames.put(frame):
                    return
                self.meter.count("captured")
        finally:
            self._source.close()

    def _run_output(self, output: Callable[[Mailbox[Any], Meter], None]) -> None:
        try:
            output(self._rendered, self.meter)
        finally:
            self._output_ended.set()

    def _run_track(self) -> None:
        while (frame := self._next_frame()) is not None:
            with self.meter.timed("track"):
                tracked = self._track(frame)
            self.meter.count("tracked")
            if not self._tracked.put(tracked):
                return  # nobody will draw it

    def _next_frame(self) -> Frame | None:
        """The newest one, once it may be tracked; None at the end."""
        if self._in_turn and self._drawn.take() is None:
            return None
        return self._frames.take()

    def _run_render(self) -> None:
        while not self._tracked.done:
            item = self._tracked.take(SILENCE_S)
            if item is None and self._tracked.done:
                return
            shown = self._render.idle(time.monotonic()) if item is None else self._draw(item)
            if shown is not None:
                self._rendered.put(shown)

    def _draw(self, item: Any) -> Any:
        with self.meter.timed("render"):
            shown = self._render(item)
        self.meter.count("rendered")
        self._drawn.put(True)
        return shown

"""The output stage: hands each new picture over at once, and repeats the last one to those that need a steady rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from engine.errors import OutputError
from engine.live.frame import Frame
from engine.live.mailbox import Mailbox
from engine.live.meter import Meter
from engine.live.pacer import Pacer
from engine.render.scene import Rendered

PATIENCE_PERIODS = 1.5  # a picture that is later than this is replaced by the last one


class Sink(Protocol):
    """Where frames go."""

    wants_repeats: bool  # a virtual camera must be fed even when nothing new came; a recording must not
    left_out: int  # pictures that it got and could not use in time

    def send(self, frame: Frame) -> None:
        """Hand over one picture."""
        ...

    def close(self) -> None:
        """Finish: what was written stays usable."""
        ...


def _require_same_size(frame: Frame, last: Frame) -> None:
    """OutputError for a picture of another size than those before it: no sink can take it."""
    if frame.bgr.shape != last.bgr.shape:
        raise OutputError(
            wanted=f"pictures of {_size(last)}, as the first one",
            found=_size(frame),
            advice="This is a defect of the renderer: please report it. What was recorded so far is playable.",
        )


def _size(frame: Frame) -> str:
    return f"{frame.bgr.shape[1]}x{frame.bgr.shape[0]}"


class OutputStage:
    """Feeds all sinks from one thread. One that fails is `lost`, and the others go on; the first failure is raised when all is
    over, or when no sink is left."""

    def __init__(self, sinks: Sequence[Sink], rate_hz: float) -> None:
        self._sinks, self._rate_hz = list(sinks), rate_hz
        self._failures: list[Exception] = []
        self.lost: list[str] = []  # why sinks were left out while others went on
        self._patience_s = PATIENCE_PERIODS / rate_hz

    def __call__(self, inbox: Mailbox[Rendered], meter: Meter) -> None:
        """Run until the mailbox is closed and empty."""
        last: Rendered | None = None
        timetable: Pacer | None = None  # of repeats; None while new pictures come
        try:
            while not inbox.done:
                now_s = time.monotonic()
                rendered = inbox.take(self._patience_s if timetable is None else timetable.remaining_s(now_s))
                if rendered is not None and last is not None:
                    _require_same_size(rendered.frame, last.frame)
                if rendered is not None and (last is None or rendered.frame.index != last.frame.index):
                    self._hand_over(rendered, last, meter)
                    last, timetable = rendered, None
                    continue
                last = rendered or last
                if rendered is None and last is not None and not inbox.done:
                    timetable = timetable or Pacer(self._rate_hz)
                    timetable.tick(time.monotonic())
                    self._repeat(last, meter)
        finally:
            meter.count("left_out", sum(sink.left_out for sink in self._sinks))
            self._close()
        if self._failures:
            raise self._failures[0]

    def _hand_over(self, rendered: Rendered, last: Rendered | None, meter: Meter) -> None:
        frame = rendered.frame
        if last is not None and frame.index < last.frame.index:
            meter.count("out_of_order")
        with meter.timed("output"):
            self._send(frame, meter, lambda sink: True)
        meter.sent(frame.captured_s, time.monotonic())
        meter.count(f"puppet_{rendered.state}")

    def _repeat(self, rendered: Rendered, meter: Meter) -> None:
        """Show the last frame's picture again, or what the render stage shows for it since nothing came."""
        meter.count("repeated")
        self._send(rendered.frame, meter, lambda sink: sink.wants_repeats)

    def _send(self, frame: Frame, meter: Meter, wanted: Callable[[Sink], bool]) -> None:
        for sink in [sink for sink in self._sinks if wanted(sink)]:
            try:
                sink.send(frame)
            except Exception as error:  # a recording's full disk must not take the virtual camera with it
                self._lose(sink, error, meter)

    def _lose(self, sink: Sink, error: Exception, meter: Meter) -> None:
        self._failures.append(error)
        self._sinks.remove(sink)
        meter.count("left_out", sink.left_out)
        with suppress(Exception):
            sink.close()
        if not self._sinks:
            raise self._failures[0]
        self.lost.append(str(error))

    def _close(self) -> None:
        for sink in self._sinks:
            try:
                sink.close()
            except Exception as error:  # one sink that can't finish must not keep the others from it
                self._failures.append(error)

"""Stages that fail as written, to see what the loop makes of it. Cameras that do are in `engine/capture/synthetic.py`.

    ok       the stage does its work             stall    it takes `STALL_S` longer
    fail     it raises `WrittenError`          garbage  its result is spoilt

After the script's end it does its work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from engine.live.frame import Frame
from engine.live.script import states_of

STATES = ("ok", "stall", "fail", "garbage")
STALL_S = 0.5


class WrittenError(Exception):
    """The script's `fail`."""


class Faulty:
    """A stage or any other callable, failing as its script says."""

    def __init__(
        self,
        stage: Callable[..., Any],
        script: str,
        spoil: Callable[[Any], Any] = lambda result: None,
        nap: Callable[[float], object] = time.sleep,
    ) -> None:
        """`spoil` makes garbage of a result. ConfigError for a script that isn't understood."""
        self._stage, self._spoil, self._nap = stage, spoil, nap
        self._states = iter(states_of(script, STATES))

    def __call__(self, item: Any) -> Any:
        """The stage's answer, or what the script makes of it."""
        state = next(self._states, "ok")
        if state == "fail":
            raise WrittenError("the script's 'fail'")
        if state == "stall":
            self._nap(STALL_S)
        result = self._stage(item)
        return self._spoil(result) if state == "garbage" else result


class FaultyRender(Faulty):
    """A render stage that fails as its script says; what it shows in silence is not touched."""

    def idle(self, now_s: float) -> Any | None:
        """As the stage's."""
        return self._stage.idle(now_s)  # type: ignore[attr-defined]


class FaultySink:
    """A sink that fails as its script says."""

    def __init__(self, sink: Any, script: str, nap: Callable[[float], object] = time.sleep) -> None:
        self._sink, self._send = sink, Faulty(sink.send, script, nap=nap)
        self.wants_repeats: bool = sink.wants_repeats

    @property
    def left_out(self) -> int:
        """As the sink's."""
        return int(self._sink.left_out)

    def send(self, frame: Frame) -> None:
        """Hand it over, or fail."""
        self._send(frame)

    def close(self) -> None:
        """Finish."""
        self._sink.close()

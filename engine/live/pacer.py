"""A timetable of ticks at a fixed rate."""

from __future__ import annotations

import time


class Pacer:
    """Ticks at whole multiples of the period; a late tick is counted, and those missed are dropped, not caught up."""

    def __init__(self, rate_hz: float) -> None:
        self.period_s = 1.0 / rate_hz
        self.late = 0
        self._next_s: float | None = None

    def remaining_s(self, now_s: float) -> float:
        """Time to the next tick; 0 when it is due. The first one is due at once."""
        if self._next_s is None:
            self._next_s = now_s
        return max(0.0, self._next_s - now_s)

    def tick(self, now_s: float) -> None:
        """The tick that was due has been served at `now_s`."""
        due = now_s if self._next_s is None else self._next_s
        missed = int(max(0.0, now_s - due) / self.period_s + 1e-9)
        self.late += missed
        self._next_s = due + (missed + 1) * self.period_s

    def wait(self) -> None:
        """Sleep until the next tick and take it."""
        remaining = self.remaining_s(time.monotonic())
        if remaining > 0:
            time.sleep(remaining)
        self.tick(time.monotonic())

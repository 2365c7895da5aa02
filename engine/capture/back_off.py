"""When to try again to open a device that went away."""

from __future__ import annotations

PAUSES_S = (0.5, 1.0, 2.0, 4.0)  # between attempts; the last one repeats
DARK_PERIOD_S = 0.1  # while it is away, black frames keep the loop going, so that the puppet comes to rest


class BackOff:
    """Growing pauses between attempts."""

    def __init__(self, now_s: float) -> None:
        """The device went away at `now_s`."""
        self._failures = 0
        self._next_s = now_s + PAUSES_S[0]

    def due(self, now_s: float) -> bool:
        """It is time for an attempt."""
        return now_s >= self._next_s

    def failed(self, now_s: float) -> None:
        """The attempt at `now_s` failed."""
        self._failures += 1
        self._next_s = now_s + PAUSES_S[min(self._failures, len(PAUSES_S) - 1)]

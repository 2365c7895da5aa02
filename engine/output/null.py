"""Throws pictures away: for measuring, and for tests."""

from __future__ import annotations

from engine.live.frame import Frame


class NullSink:
    """Counts what it gets."""

    wants_repeats = True

    def __init__(self) -> None:
        self.received = 0
        self.left_out = 0

    def send(self, frame: Frame) -> None:
        """Forget the picture."""
        self.received += 1

    def close(self) -> None:
        """Nothing to finish."""

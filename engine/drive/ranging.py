"""Coefficients of a tracked face as shares of what its performer can do."""

from __future__ import annotations

from dataclasses import replace

from engine.face.calibration import Calibration
from engine.face.ranges import Ranges
from engine.track.tracker import Tracked


class Ranging:
    """Learns how far the performer's expressions go, and brings the coefficients to shares of that."""

    def __init__(self, ranges: Ranges, calibration: Calibration) -> None:
        self._ranges, self._calibration, self._strangers = ranges, calibration, 0

    def __call__(self, tracked: Tracked) -> Tracked:
        """The same performance, its coefficients from 0 to 1."""
        if self._calibration.strangers != self._strangers:
            self._strangers = self._calibration.strangers
            self._ranges.forget()
        if tracked.coefficients is None:
            return tracked
        self._ranges.learn(tracked.coefficients)
        return replace(tracked, coefficients=self._ranges.share(tracked.coefficients))

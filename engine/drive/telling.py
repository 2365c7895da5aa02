"""The performance for other programs: each tracked frame goes out as a sample, by every protocol asked for."""

from __future__ import annotations

from collections.abc import Sequence

from engine.drive.samples import sample_of
from engine.face.model import face_model
from engine.face.ranges import Ranges
from engine.protocols.send import Broadcast
from engine.track.tracker import Tracked


class Telling:
    """Sends what it sees. Use it from one thread."""

    def __init__(self, broadcasts: Sequence[Broadcast], ranges: Ranges | None) -> None:
        """`ranges` bring a tracked face's coefficients to 0 to 1; None for those that come from a program already."""
        self._broadcasts, self._ranges = broadcasts, ranges

    def __call__(self, tracked: Tracked) -> Tracked:
        """The same, sent."""
        performance = tracked.performance
        coefficients = tracked.coefficients
        if performance is not None and coefficients is None:
            coefficients = face_model().coefficients(performance.offsets)
        if coefficients is not None and self._ranges is not None:
            coefficients = self._ranges.share(coefficients)
        sample = sample_of(performance, coefficients)
        for broadcast in self._broadcasts:
            broadcast(sample, tracked.frame.captured_s)
        return tracked

    def close(self) -> None:
        """Close the sockets."""
        for broadcast in self._broadcasts:
            broadcast.close()

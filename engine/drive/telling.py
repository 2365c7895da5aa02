"""The performance for other programs: each tracked frame goes out as a sample, by every protocol asked for."""

from __future__ import annotations

from collections.abc import Sequence

from engine.drive.samples import sample_of
from engine.face.model import face_model
from engine.protocols.send import Broadcast
from engine.track.tracker import Tracked


class Telling:
    """Sends what it sees. Use it from one thread."""

    def __init__(self, broadcasts: Sequence[Broadcast]) -> None:
        self._broadcasts = broadcasts

    def __call__(self, tracked: Tracked) -> Tracked:
        """The same, sent."""
        performance = tracked.performance
        coefficients = tracked.coefficients
        if performance is not None and coefficients is None:
            coefficients = face_model().coefficients(performance.offsets)
        sample = sample_of(performance, coefficients)
        for broadcast in self._broadcasts:
            broadcast(sample, tracked.frame.captured_s)
        return tracked

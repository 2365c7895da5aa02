"""Between performances and what protocols carry: coefficients one way, displacements the other."""

from __future__ import annotations

from typing import Final

import numpy as np

from engine.face.arkit import Coefficients
from engine.face.model import face_model
from engine.face.performance import HeadMotion, Performance
from engine.live.frame import Frame
from engine.protocols.convert import lost
from engine.protocols.receive import ProtocolSource
from engine.protocols.sample import Sample
from engine.track.tracker import Tracked

DISTANCE: Final = 6.0  # inter-ocular distances from a camera to who sits before it, by which depth becomes size
NEAREST: Final = 1.5  # no head comes nearer, inter-ocular distances


def sample_of(performance: Performance | None, coefficients: Coefficients | None = None) -> Sample:
    """What another program gets; the coefficients (52,) are fitted where they aren't given. None is a lost performer."""
    if performance is None:
        return lost()
    told = face_model().coefficients(performance.offsets) if coefficients is None else coefficients
    depth = np.float32(DISTANCE * (1 / performance.head.scale - 1))
    return Sample(told, performance.head.angles_deg, performance.head.translation + np.array([0, 0, depth], np.float32))


def performance_of(sample: Sample, rest: Sample) -> Performance | None:
    """What a puppet does for a sample of a head that stood as in `rest`; None where the performer is lost."""
    if not sample.seen:
        return None
    yaw, pitch, roll = (now - then for now, then in zip(sample.angles_deg, rest.angles_deg, strict=True))
    moved = (sample.translation - rest.translation).astype(np.float32)
    scale = DISTANCE / max(DISTANCE + float(moved[2]), NEAREST)
    head = HeadMotion((yaw, pitch, roll), moved * np.array([1, 1, 0], np.float32), scale, rest.angles_deg)
    return Performance(head, face_model().offsets(sample.coefficients))


class SampleTracker:
    """The track stage for another program's performance: the head's rest is where it was first seen, anew for each sender."""

    def __init__(self) -> None:
        self._rest: Sample | None = None
        self._again = False
        self._sender = 0

    def recapture(self) -> None:
        """The head's next pose is its rest. May be called from any thread."""
        self._again = True

    def __call__(self, frame: Frame) -> Tracked:
        """What came with a frame of `ProtocolSource`."""
        sample, sender = ProtocolSource.sample(frame), ProtocolSource.sender(frame)
        if sender != self._sender:
            self._rest, self._sender = None, sender
        if sample.seen and (self._rest is None or self._again):
            self._rest, self._again = sample, False
        performance = None if self._rest is None else performance_of(sample, self._rest)
        return Tracked(frame, None, None, performance, sample.coefficients if performance is not None else None)

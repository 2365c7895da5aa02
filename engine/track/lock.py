"""The performer lock: once somebody performs, a bystander doesn't take over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.face.landmarks import Points

JUMP_FACES = 0.6  # a face that moves further between two frames, in its own sizes, is another one
JUMP_GROWTH = 0.8  # what that grows by for each second between the frames
JUMP_SIZE = 1.5  # a face that grows or shrinks by more is another one, too
REACH_FACES = 0.9  # a face found so near to where the performer was lost is the performer
GIVE_UP_S = 4.0  # after so long without the performer, whoever is there may take over


@dataclass(frozen=True, slots=True)
class Place:
    """Where a face is, px."""

    x: float
    y: float
    size: float  # mean of width and height

    @staticmethod
    def of(landmarks_px: Points) -> Place:
        """Bounding box of landmarks (478, 3)."""
        low, high = landmarks_px[:, :2].min(0), landmarks_px[:, :2].max(0)
        middle = (low + high) / 2
        return Place(float(middle[0]), float(middle[1]), float((high - low).mean()))

    def away(self, other: Place) -> float:
        """Distance to another place, in this face's sizes."""
        return float(np.hypot(self.x - other.x, self.y - other.y)) / max(self.size, 1.0)


class PerformerLock:
    """Remembers where the performer is and judges candidates."""

    def __init__(self) -> None:
        self._place: Place | None = None
        self._seen_s = 0.0

    def given_up(self, now_s: float) -> bool:
        """The performer has been away so long that whoever is there may take over."""
        return self._place is not None and now_s - self._seen_s > GIVE_UP_S

    def follow(self, place: Place, now_s: float) -> bool:
        """Take a tracked face as the performer's next place; False where it jumped: that is somebody else."""
        before = self._place
        if before is not None and before.away(place) > JUMP_FACES + JUMP_GROWTH * (now_s - self._seen_s):
            return False
        if before is not None and not 1 / JUMP_SIZE < place.size / max(before.size, 1.0) < JUMP_SIZE:
            return False
        self._place, self._seen_s = place, now_s
        return True

    def choose(self, faces: Sequence[Place], now_s: float) -> Place | None:
        """Which of the detected faces is the performer; None where none can be."""
        if not faces:
            return None
        if self._place is None or self.given_up(now_s):
            return max(faces, key=lambda p: p.size)
        last = self._place
        nearest = min(faces, key=last.away)
        return nearest if last.away(nearest) <= REACH_FACES and 0.5 < nearest.size / last.size < 2.0 else None

    def take(self, place: Place, now_s: float) -> None:
        """From now on this is the performer."""
        self._place, self._seen_s = place, now_s

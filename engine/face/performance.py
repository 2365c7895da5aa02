"""A performance: what a face does at one instant, free of whose face it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.face.landmarks import COUNT, Points

FARTHEST = 1.5  # inter-ocular distances; a jaw that drops all the way moves the chin by 0.6


@dataclass(frozen=True, slots=True)
class HeadMotion:
    """Head pose relative to the calibrated neutral (why angles: docs/decisions/004-head-angles-add.md)."""

    angles_deg: tuple[float, float, float]  # yaw, pitch, roll, each less the neutral's
    translation: NDArray[np.float32]  # (3,), in the picture's axes, inter-ocular distances
    scale: float  # 1 at the neutral distance, larger when nearer
    rest_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)  # the neutral's own yaw, pitch and roll before the camera

    @staticmethod
    def still() -> HeadMotion:
        """No motion."""
        return HeadMotion((0.0, 0.0, 0.0), np.zeros(3, np.float32), 1.0)


@dataclass(frozen=True, slots=True)
class Performance:
    """Head motion and expression; gaze is the displacement of the irises."""

    head: HeadMotion
    offsets: Points  # (478, 3) from neutral, canonical frame, in the proportions of the reference face

    @staticmethod
    def neutral() -> Performance:
        """Nothing moves."""
        return Performance(HeadMotion.still(), np.zeros((COUNT, 3), np.float32))

    @property
    def plausible(self) -> bool:
        """All numbers are finite, and no point leaves its place by more than a face can."""
        head = np.array([*self.head.angles_deg, *self.head.rest_deg, *self.head.translation, self.head.scale])
        sound = bool(np.isfinite(head).all()) and self.head.scale > 0
        return sound and bool(np.abs(self.offsets).max() <= FARTHEST)  # false for what is not a number

    def eased(self, amount: float) -> Performance:
        """This performance at `amount` of its strength; 0 is neutral, 1 itself."""
        yaw, pitch, roll = self.head.angles_deg
        angles = (amount * yaw, amount * pitch, amount * roll)
        shift = self.head.translation * np.float32(amount)
        head = HeadMotion(angles, shift, self.head.scale**amount, self.head.rest_deg)
        return Performance(head, self.offsets * np.float32(amount))

"""A performance: what a face does at one instant, free of whose face it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.face.landmarks import COUNT, Points


@dataclass(frozen=True, slots=True)
class HeadMotion:
    """Head pose relative to the calibrated neutral."""

    rotation: NDArray[np.float32]  # (3, 3), in the neutral head's own axes
    translation: NDArray[np.float32]  # (3,), in the picture's axes, inter-ocular distances
    scale: float  # 1 at the neutral distance, larger when nearer

    @staticmethod
    def still() -> HeadMotion:
        """No motion."""
        return HeadMotion(np.eye(3, dtype=np.float32), np.zeros(3, np.float32), 1.0)


@dataclass(frozen=True, slots=True)
class Performance:
    """Head motion and expression; gaze is the displacement of the irises."""

    head: HeadMotion
    offsets: Points  # (478, 3) from neutral, canonical frame, in the proportions of the reference face

    @staticmethod
    def neutral() -> Performance:
        """Nothing moves."""
        return Performance(HeadMotion.still(), np.zeros((COUNT, 3), np.float32))

    def eased(self, amount: float) -> Performance:
        """This performance at `amount` of its strength; 0 is neutral, 1 itself."""
        rotation = _rotation_power(self.head.rotation, amount)
        head = HeadMotion(rotation, self.head.translation * np.float32(amount), self.head.scale**amount)
        return Performance(head, self.offsets * np.float32(amount))


def _rotation_power(rotation: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    """Rotation about the same axis by `amount` of the angle (Rodrigues)."""
    r = rotation.astype(np.float64)
    axis = np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
    sine, cosine = float(np.linalg.norm(axis)) / 2, (float(np.trace(r)) - 1) / 2
    if sine < 1e-9:
        return np.eye(3, dtype=np.float32)
    x, y, z = axis / (2 * sine)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.arctan2(sine, cosine) * amount
    return (np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross).astype(np.float32)

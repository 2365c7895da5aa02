"""Smooths a tracked face in the head's own frame, so that smoothing doesn't smear head motion into the expression."""

from __future__ import annotations

import numpy as np

from engine.face.landmarks import Points
from engine.face.pose import Pose, fit_similarity
from engine.track.one_euro import OneEuro

SHAPE_CUTOFF_HZ, SHAPE_GAIN = 3.0, 30.0  # inter-ocular distances per second: a blink moves at 5
ROTATION_CUTOFF_HZ, ROTATION_GAIN = 1.0, 10.0  # radians per second
POSITION_CUTOFF_HZ, POSITION_GAIN = 1.0, 10.0  # inter-ocular distances per second, and log scale


class FaceFilter:
    """One-Euro filters of canonical shape, rotation and position."""

    def __init__(self) -> None:
        self._shape = OneEuro(SHAPE_CUTOFF_HZ, SHAPE_GAIN)
        self._rotation = OneEuro(ROTATION_CUTOFF_HZ, ROTATION_GAIN)
        self._position = OneEuro(POSITION_CUTOFF_HZ, POSITION_GAIN)

    def __call__(self, pose: Pose, shape: Points, now_s: float) -> tuple[Pose, Points]:
        """Filtered pose and canonical shape (478, 3)."""
        rotation = self._rotation(pose.rotation.reshape(1, 9), now_s).reshape(3, 3)
        orthonormal = fit_similarity(np.eye(3, dtype=np.float32), rotation.T.copy()).rotation
        unit = np.array([*pose.translation / pose.scale, np.log(pose.scale)], np.float32)[None]
        position = self._position(unit, now_s)[0]
        scale = float(np.exp(position[3]))
        return Pose(orthonormal, (position[:3] * scale).astype(np.float32), scale), self._shape(shape, now_s)

    def reset(self) -> None:
        """Start anew: the face was lost."""
        for part in (self._shape, self._rotation, self._position):
            part.reset()

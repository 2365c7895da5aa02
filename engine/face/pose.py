"""Head pose: the similarity that carries the canonical face frame to the picture.

`landmarks_px = scale_px * shape @ rotation.T + translation_px`. In the canonical frame the inter-ocular distance
is 1, y points down and z away from the camera; the origin lies in the head, on the axis about which a neck turns it,
so that a turn of the head is a rotation with hardly any translation.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, atan2, degrees

import numpy as np
from numpy.typing import NDArray

from engine.face.landmarks import RIGID, Points
from engine.face.similarity import robust_similarity, similarity

ROUNDS = 3  # of reweighting; more move the pose by less than 0.05 degrees


@dataclass(frozen=True, slots=True)
class Pose:
    """Similarity from the canonical frame to the picture."""

    rotation: NDArray[np.float32]  # (3, 3), orthonormal, determinant 1
    translation: NDArray[np.float32]  # (3,), where the canonical origin lies, px
    scale: float  # px per inter-ocular distance, > 0

    def apply(self, shape: Points) -> Points:
        """Canonical (n, 3) to picture (n, 3) px."""
        return (self.scale * shape @ self.rotation.T + self.translation).astype(np.float32)

    def invert(self, points_px: Points) -> Points:
        """Picture (n, 3) px to canonical (n, 3)."""
        return ((points_px - self.translation) @ self.rotation / self.scale).astype(np.float32)


def fit_similarity(source: Points, target: Points, weights: NDArray[np.float32] | None = None) -> Pose:
    """Least-squares similarity from `source` (n, 3) to `target` (n, 3), with a weight per point."""
    w = np.ones(len(source)) if weights is None else np.ascontiguousarray(weights, np.float64)
    return _pose(*similarity(_doubles(source), _doubles(target), w))


def fit_head(shape: Points, landmarks_px: Points) -> Pose:
    """Pose of a head whose canonical `shape` (478, 3) is seen as `landmarks_px` (478, 3).

    Robust on the rigid points, so that a lifted brow or a hand over a temple doesn't turn the head.
    """
    return _pose(*robust_similarity(_doubles(shape[RIGID]), _doubles(landmarks_px[RIGID]), ROUNDS))


def _doubles(points: Points) -> NDArray[np.float64]:
    """In the one layout for which the fits are compiled."""
    return np.ascontiguousarray(points, np.float64)


def _pose(rotation: NDArray[np.float64], translation: NDArray[np.float64], scale: float) -> Pose:
    return Pose(rotation.astype(np.float32), translation.astype(np.float32), scale)


def rotation_from_euler(yaw_deg: float, pitch_deg: float, roll_deg: float) -> NDArray[np.float32]:
    """Rotation matrix; positive yaw turns the nose to larger x, positive pitch down, positive roll clockwise."""
    yaw, pitch, roll = np.radians([yaw_deg, pitch_deg, roll_deg])
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return (about_z @ about_y @ about_x).astype(np.float32)


def euler_from_rotation(rotation: NDArray[np.float32]) -> tuple[float, float, float]:
    """Inverse of `rotation_from_euler`: (yaw, pitch, roll) in degrees, yaw within -90 to 90."""
    r = rotation.tolist()
    yaw, pitch, roll = asin(min(1.0, max(-1.0, r[2][0]))), atan2(r[2][1], r[2][2]), atan2(r[1][0], r[0][0])
    return degrees(yaw), degrees(pitch), degrees(roll)

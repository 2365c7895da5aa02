"""From a performance to the landmarks of a puppet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.curves import soft_limit
from engine.face import landmarks as lm
from engine.face.own_expression import relaxed_face
from engine.face.performance import HeadMotion, Performance
from engine.face.pose import Pose, euler_from_rotation, fit_head, rotation_from_euler
from engine.face.proportions import gains
from engine.face.reference import reference_face

LIMITS_DEG = (38.0, 26.0, 40.0)  # yaw, pitch, roll: beyond, one photograph has nothing left to show
LIMIT_SHIFT = 0.55  # inter-ocular distances to each side
LIMIT_ZOOM = 1.35
LID_SHUT, LID_FREE = 0.27, 0.60  # tracked opening, of neutral: lids touch under one, are as tracked above the other
LID_WIDEST = 1.45  # share of the puppet's neutral opening that wide eyes approach
LIP_SHUT = 0.012  # tracked gap under which lips touch, inter-ocular distances


@dataclass(frozen=True, slots=True)
class Target:
    """Where the puppet's face goes."""

    landmarks_px: lm.Points  # (478, 3)
    pose: Pose


class PuppetFace:
    """A puppet's geometry at one photograph: pose, neutral shape and what carries performances on to it."""

    def __init__(
        self,
        landmarks_px: lm.Points,
        *,
        keep_expression: bool = False,
        absolute_pose: bool = False,
        neutral: lm.Points | None = None,
    ) -> None:
        """`landmarks_px` (478, 3) of the photograph. `keep_expression` takes its expression as the neutral one;
        `absolute_pose` turns the head to where the performer's is, not by what the performer's turned. `neutral` (478, 3) is
        the person's canonical neutral shape where that is known; else the photograph's is taken, without smile and closed."""
        self._absolute_pose = absolute_pose
        self.landmarks_px = landmarks_px.astype(np.float32)
        self.pose = fit_head(reference_face().mean, self.landmarks_px)
        self._angles_deg = euler_from_rotation(self.pose.rotation)
        self.shape = self.pose.invert(self.landmarks_px)
        known = self.shape if keep_expression else neutral
        self.neutral = relaxed_face(self.shape) if known is None else known
        self._gains = gains(reference_face().mean, self.neutral)
        self._lids = [(pairs, self._gap(pairs)) for pairs in (lm.LID_PAIRS_LEFT, lm.LID_PAIRS_RIGHT)]

    def _gap(self, pairs: lm.Indices) -> NDArray[np.float32]:
        gap: NDArray[np.float32] = self.neutral[pairs[:, 1]] - self.neutral[pairs[:, 0]]
        return gap

    def retarget(self, performance: Performance) -> Target:
        """Landmarks of this puppet doing what the performance does."""
        pose = self._pose(performance.head)
        return Target(pose.apply(self.shape_of(performance.offsets)), pose)

    def shape_of(self, offsets: lm.Points) -> lm.Points:
        """Canonical shape (478, 3) of this face with an expression, `offsets` (478, 3) in the reference face's proportions."""
        shape = (self.neutral + self._gains * offsets).astype(np.float32)
        for iris in (lm.IRIS_LEFT, lm.IRIS_RIGHT):
            shape[iris] = self.neutral[iris] + (shape[iris[0]] - self.neutral[iris[0]])
        for pairs, gap in self._lids:
            _fit_lids(shape, pairs, gap)
        _touch_lips(shape)
        return shape

    def _pose(self, head: HeadMotion) -> Pose:
        wanted = np.array(head.angles_deg)
        if self._absolute_pose:
            wanted = wanted + head.rest_deg - self._angles_deg
        moved = [soft_limit(float(a), limit) for a, limit in zip(wanted, LIMITS_DEG, strict=True)]
        yaw, pitch, roll = (at_rest + by for at_rest, by in zip(self._angles_deg, moved, strict=True))
        shift = np.array([soft_limit(float(v), LIMIT_SHIFT) for v in head.translation], np.float32)
        zoom = float(np.exp(soft_limit(float(np.log(head.scale)), float(np.log(LIMIT_ZOOM)))))
        return Pose(
            rotation_from_euler(yaw, pitch, roll),
            self.pose.translation + self.pose.scale * shift,
            self.pose.scale * zoom,
        )


def _opening_shown(opening: float) -> float:
    """Opening of the puppet's lids for a tracked one, both as shares of neutral: shut where nearly shut, never staring."""
    if opening < LID_FREE:
        return max(0.0, opening - LID_SHUT) / (LID_FREE - LID_SHUT) * LID_FREE
    return min(opening, 1.0) + soft_limit(max(opening - 1.0, 0.0), LID_WIDEST - 1.0)


def _fit_lids(shape: lm.Points, pairs: lm.Indices, neutral_gap: NDArray[np.float32]) -> None:
    """Close lids for good where the tracker sees them nearly closed (FaceMesh never lets them touch), limit wide ones."""
    gap = shape[pairs[:, 1]] - shape[pairs[:, 0]]
    middle = slice(2, 5)
    opening = float(gap[middle, 1].mean() / max(neutral_gap[middle, 1].mean(), 1e-4))  # negative: lids that cross
    share = _opening_shown(opening) / opening if opening > LID_SHUT else 0.0
    shape[pairs[:, 0]] = shape[pairs[:, 1]] - np.float32(min(share, 1.0)) * gap


def _touch_lips(shape: lm.Points) -> None:
    """Let lips that are nearly closed, or would cross, meet between the two."""
    upper, lower = lm.LIP_PAIRS[:, 0], lm.LIP_PAIRS[:, 1]
    gap = shape[lower] - shape[upper]
    height = gap[:, 1:2]
    wanted = np.where(height < LIP_SHUT, 0.0, np.minimum(height, 2 * (height - LIP_SHUT))).astype(np.float32)
    share = 1 - wanted / np.where(np.abs(height) < 1e-6, 1e-6, height)
    share = np.where(height <= 0, 1.0, np.clip(share, 0.0, 1.0)).astype(np.float32)
    shape[upper] += gap * share / 2
    shape[lower] -= gap * share / 2

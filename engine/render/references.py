"""Which photograph of a puppet shows a pose and an expression best, without flicker between two that are as good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.curves import smoothstep
from engine.face import landmarks as lm
from engine.face.pose import Pose, euler_from_rotation

# What counts as one step away from a photograph.
TURN_DEG: Final = 18.0
GAP: Final = 0.10  # of the lips, inter-ocular distances
WIDTH: Final = 0.15  # of the mouth, inter-ocular distances
LIDS: Final = 0.12  # in eye widths
GAZE: Final = 0.10  # of an iris, inter-ocular distances
BETTER: Final = 0.25  # steps by which another photograph must be nearer
LEAP: Final = 2.0  # steps by which it is nearer where there is no time for a fade
FADE_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Look:
    """What tells photographs of one face apart, each in its own steps."""

    values: NDArray[
        np.float32
    ]  # of a whole face (7,): yaw, pitch, lips' gap, mouth's width, lids, gaze across and down

    @staticmethod
    def of(shape: lm.Points, pose: Pose) -> Look:
        """Of a face with canonical `shape` (478, 3) at `pose`."""
        yaw, pitch, _ = euler_from_rotation(pose.rotation)
        gaze = _gaze(shape)
        return Look(np.array([
            yaw / TURN_DEG, pitch / TURN_DEG, lm.lip_gap(shape) / GAP, lm.distance(shape, *lm.MOUTH_CORNERS) / WIDTH,
            min(lm.lid_openings(shape)) / LIDS, gaze[0] / GAZE, gaze[1] / GAZE,
        ], np.float32))  # fmt: skip

    def away(self, other: Look) -> float:
        """Distance, in steps."""
        return float(np.linalg.norm(self.values - other.values))


def _gaze(shape: lm.Points) -> NDArray[np.float32]:
    """(2,): where the irises lie between the corners of their eyes."""
    corners = shape[[*lm.EYE_CORNERS_LEFT, *lm.EYE_CORNERS_RIGHT], :2].mean(0)
    result: NDArray[np.float32] = shape[[lm.IRIS_LEFT[0], lm.IRIS_RIGHT[0]], :2].mean(0) - corners
    return result


class Chooser:
    """Picks the nearest of several looks, and says how far the change to it is."""

    def __init__(self, looks: Sequence[Look], fade_s: float = FADE_S) -> None:
        """`looks`: those of the photographs, at least one; the list may change between calls."""
        self._looks, self._fade_s = looks, fade_s
        self._chosen, self._before = 0, 0
        self._since_s = float("-inf")

    def __call__(self, wanted: Look, now_s: float) -> list[tuple[int, float]]:
        """Photographs to show, the lowest first, each with its share over those below; the first one's is 1."""
        away = [look.away(wanted) for look in self._looks]
        nearest = int(np.argmin(away))
        gain = away[self._chosen] - away[nearest]
        if gain > LEAP:
            self._before = self._chosen = nearest
        elif gain > BETTER and self._fade(now_s) >= 1:
            self._before, self._chosen, self._since_s = self._chosen, nearest, now_s
        share = self._fade(now_s)
        if share >= 1 or self._before == self._chosen:
            return [(self._chosen, 1.0)]
        return [(self._before, 1.0), (self._chosen, share)]

    def _fade(self, now_s: float) -> float:
        return smoothstep((now_s - self._since_s) / self._fade_s)

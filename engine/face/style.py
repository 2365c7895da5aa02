"""How much of a performance a puppet shows: strength by region, mirroring, limits of the head."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.curves import soft_limit
from engine.face import landmarks as lm
from engine.face.performance import HeadMotion, Performance
from engine.face.proportions import region_weights
from engine.face.reference import reference_face


@dataclass(frozen=True, slots=True)
class Style:
    """Factors of what was performed; 1 is as performed, 0 leaves it out."""

    head: float = 1.0
    mouth: float = 1.0
    eyes: float = 1.0  # lids
    gaze: float = 1.0
    brows: float = 1.0
    mirrored: bool = False
    limit_deg: float | None = None  # no head angle goes further than this; None: as far as one photograph allows

    @property
    def plain(self) -> bool:
        """Nothing is changed."""
        return self == Style()

    def __call__(self, performance: Performance) -> Performance:
        """The performance in this style."""
        if self.plain:
            return performance
        moved = mirror(performance) if self.mirrored else performance
        return Performance(self._head(moved.head), self._offsets(moved.offsets))

    def _head(self, head: HeadMotion) -> HeadMotion:
        yaw, pitch, roll = (self._limited(self.head * angle) for angle in head.angles_deg)
        strength = np.float32(self.head)
        return HeadMotion((yaw, pitch, roll), head.translation * strength, head.scale**self.head, head.rest_deg)

    def _limited(self, angle_deg: float) -> float:
        return angle_deg if self.limit_deg is None else soft_limit(angle_deg, self.limit_deg)

    def _offsets(self, offsets: lm.Points) -> lm.Points:
        return (offsets * _strength(self)).astype(np.float32)


@lru_cache(maxsize=8)
def _strength(style: Style) -> NDArray[np.float32]:
    """(478, 1) factor of each point."""
    strength = region_weights() @ np.array([style.mouth, style.eyes, style.eyes, style.brows, 1.0], np.float32)
    strength[lm.SKIN_COUNT :] = style.gaze
    return strength[:, None]


def mirror(performance: Performance) -> Performance:
    """The same performance as a mirror shows it."""
    head, across = performance.head, np.array([-1, 1, 1], np.float32)
    yaw, pitch, roll = head.angles_deg
    rest_yaw, rest_pitch, rest_roll = head.rest_deg
    moved = HeadMotion((-yaw, pitch, -roll), head.translation * across, head.scale, (-rest_yaw, rest_pitch, -rest_roll))
    return Performance(moved, performance.offsets[reference_face().mirror] * across)

"""How much of a face moves away from where a picture shows it, by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.curves import smoothstep
from engine.face import landmarks as lm

BEGINS, ALL = 0.006, 0.025  # displacements from which a part counts as moved, and in full, inter-ocular distances
MOUTH: Final = np.concatenate([lm.LIPS_OUTER, lm.LIPS_INNER, lm.CHIN])
EYES: Final = np.concatenate([lm.EYE_LEFT, lm.EYE_RIGHT, lm.IRIS_LEFT, lm.IRIS_RIGHT])


@dataclass(frozen=True, slots=True)
class Moves:
    """Shares in [0, 1]: 0 where a part stays as it is in the picture."""

    any: bool  # anything moves at all
    mouth: float
    eyes: float

    @staticmethod
    def of(delta: lm.Points) -> Moves:
        """Of displacements (478, 3) in the canonical frame."""
        size = np.linalg.norm(delta, axis=1)
        mouth, eyes = (smoothstep(float((size[part].max() - BEGINS) / (ALL - BEGINS))) for part in (MOUTH, EYES))
        return Moves(bool(size.any()), mouth, eyes)

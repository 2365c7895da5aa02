"""What the protocols carry: an expression in ARKit's 52 coefficients and a head pose, at one instant."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.face import arkit

INTER_OCULAR_M = 0.09  # outer eye corner to outer eye corner of an adult, by which metres become our unit


class MalformedPacketError(ValueError):
    """A packet that is not what its protocol says; it is dropped and counted."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One instant of a performance as other programs know it."""

    coefficients: arkit.Coefficients  # (52,) in [0, 1], order of `arkit.NAMES`
    angles_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)  # yaw (nose to larger x), pitch (down), roll (clockwise)
    translation: NDArray[np.float32] = field(default_factory=lambda: np.zeros(3, np.float32))
    # (3,) inter-ocular distances from where the program has its origin; x right, y down in an unmirrored picture, z away
    seen: bool = True  # false: that program has lost its performer

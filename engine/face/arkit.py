"""The 52 blendshapes of ARKit: the language in which phones, animators and puppeteers speak of expressions.

Names and meaning: Apple, `ARFaceAnchor.BlendShapeLocation`; the order is that of the Live Link Face app. Left and right are
the performer's own here, unlike in `engine.face.landmarks`, whose sides are the viewer's: an unmirrored picture shows
`eyeBlinkLeft` on its right.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Coefficients = NDArray[np.float32]  # (52,) in [0, 1], 0 is neutral

NAMES: Final = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft", "eyeWideLeft",
    "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight", "eyeSquintRight",
    "eyeWideRight", "jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft",
    "mouthRight", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft",
    "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower",
    "mouthShrugUpper", "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft",
    "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
COUNT: Final = len(NAMES)
INDEX: Final = {name: index for index, name in enumerate(NAMES)}


def _other_side(name: str) -> str:
    for one, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(one):
            return name.removesuffix(one) + other
    return name


MIRROR: Final = np.array([INDEX[_other_side(name)] for name in NAMES], np.int32)  # the same shape on the other side


def both(**amounts: float) -> dict[str, float]:
    """Each amount on both sides of the face: `both(mouthSmile=0.5)`."""
    return {name + side: amount for name, amount in amounts.items() for side in ("Left", "Right")}


def coefficients(amounts: dict[str, float]) -> Coefficients:
    """(52,) of amounts by name, the rest 0. KeyError names an unknown one."""
    result = np.zeros(COUNT, np.float32)
    for name, amount in amounts.items():
        result[INDEX[name]] = amount
    return result

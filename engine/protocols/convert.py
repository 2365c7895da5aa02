"""What several protocols need: a sample within bounds, names of coefficients, quaternions, and where the eyes look."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.face import arkit
from engine.protocols.sample import MalformedPacketError, Sample

MOST_DEG: Final = 90.0  # beyond, nobody's face is seen
FARTHEST: Final = 100.0  # inter-ocular distances, 9 m
EYE_DEG: Final = 36.0  # an eye's turn at coefficient 1: 0.17 is 6.0 and 0.36 is 12.8 in the packets of ifacialmocap.com
BY_LOWER_CASE: Final = {name.lower(): index for index, name in enumerate(arkit.NAMES)}

Quaternion = tuple[float, float, float, float]  # x, y, z, w


def bounded(
    coefficients: Iterable[float],
    angles_deg: Iterable[float] = (0.0, 0.0, 0.0),
    translation: Iterable[float] = (0.0, 0.0, 0.0),
    *,
    seen: bool = True,
) -> Sample:
    """A sample clipped to what a face can do. MalformedPacketError for what is not a finite number."""
    yaw, pitch, roll = (float(angle) for angle in np.clip(_finite(angles_deg), -MOST_DEG, MOST_DEG))
    moved = np.clip(_finite(translation), -FARTHEST, FARTHEST).astype(np.float32)
    amounts = np.clip(_finite(coefficients), 0.0, 1.0).astype(np.float32)
    return Sample(amounts, (yaw, pitch, roll), moved, seen)


def lost() -> Sample:
    """The performer is not seen."""
    return Sample(np.zeros(arkit.COUNT, np.float32), seen=False)


def _finite(values: Iterable[float]) -> NDArray[np.float64]:
    result = np.array([*values], np.float64)
    if not np.isfinite(result).all():
        raise MalformedPacketError("not a finite number")
    return result


def rotation_of(quaternion: Quaternion) -> NDArray[np.float32]:
    """(3, 3) of a quaternion of any length. MalformedPacketError when it has none."""
    x, y, z, w = _finite(quaternion)
    square = float(x * x + y * y + z * z + w * w)
    if not 1e-6 < square < 1e6:
        raise MalformedPacketError("not a rotation")
    s = 2.0 / square
    return np.array(
        [
            [1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)],
            [s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)],
            [s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)],
        ],
        np.float32,
    )


def quaternion_of(rotation: NDArray[np.float32]) -> Quaternion:
    """Unit quaternion of a rotation (3, 3), w not negative.

    The eigenvector of Bar-Itzhack, "New method for extracting the quaternion from a rotation matrix", JGCD 2000.
    """
    (a, b, c), (d, e, f), (g, h, i) = rotation.astype(np.float64)
    k = np.array(
        [
            [a - e - i, b + d, c + g, h - f],
            [b + d, e - a - i, f + h, c - g],
            [c + g, f + h, i - a - e, d - b],
            [h - f, c - g, d - b, a + e + i],
        ]
    )
    x, y, z, w = np.linalg.eigh(k)[1][:, -1]
    sign = -1.0 if w < 0 else 1.0
    return float(sign * x), float(sign * y), float(sign * z), float(sign * w)


def gaze_deg(coefficients: arkit.Coefficients) -> tuple[tuple[float, float], tuple[float, float]]:
    """(yaw, pitch) of the performer's left and right eye; signs as in `Sample.angles_deg`."""

    def turn(side: str, to_larger_x: str, to_smaller_x: str) -> tuple[float, float]:
        larger, smaller, down, up = (
            float(coefficients[arkit.INDEX[f"eyeLook{way}{side}"]]) for way in (to_larger_x, to_smaller_x, "Down", "Up")
        )
        return EYE_DEG * (larger - smaller), EYE_DEG * (down - up)

    return turn("Left", "Out", "In"), turn("Right", "In", "Out")


def looking(left_deg: tuple[float, float], right_deg: tuple[float, float]) -> dict[str, float]:
    """Inverse of `gaze_deg`: the coefficients eyeLook by name, not clipped at 1."""
    amounts: dict[str, float] = {}
    for side, (yaw_deg, pitch_deg), larger, smaller in (
        ("Left", left_deg, "Out", "In"),
        ("Right", right_deg, "In", "Out"),
    ):
        amounts[f"eyeLook{larger}{side}"] = max(0.0, yaw_deg / EYE_DEG)
        amounts[f"eyeLook{smaller}{side}"] = max(0.0, -yaw_deg / EYE_DEG)
        amounts[f"eyeLookDown{side}"] = max(0.0, pitch_deg / EYE_DEG)
        amounts[f"eyeLookUp{side}"] = max(0.0, -pitch_deg / EYE_DEG)
    return amounts

"""OpenSeeFace: what its `facetracker.py` sends to VSeeFace, VTube Studio and others, UDP port 11573.

1785 bytes for each face, little-endian: time float64, id int32, picture width and height, right and left eye open (0 to 1),
uint8 pose found, fit error, quaternion xyzw, Euler angles in degrees, translation, 68 confidences, 68 points in the
picture (x, y) px, 70 points of the head (x, y, z), 14 features. Of several faces in a datagram the first is taken.
Source: emilianavt/OpenSeeFace, `facetracker.py`, `tracker.py`, `Unity/OpenSee.cs`.

Pose. OpenSeeFace gives its solver points as (row, column) and a head whose x points to the picture's left, y up and z to the
viewer; the solution lies behind the camera. So its matrix is `SWAP @ ours` (neutral: Euler angles 180, 0, 90), its
quaternion is that matrix's conjugate, and its translation is (up, to the picture's left, minus the distance), in units of
which the outer eye corners are 0.66 apart. Found by solving synthetic heads the way `tracker.py` does. Its principal point
is (width / 2, height / 2) for (row, column) too, so there is an offset of some degrees that a receiver has to calibrate.

Features are shares of what the performer has shown so far, 0 the median; EyebrowUpDown is positive up, MouthCornerUpDown
positive DOWN (`OpenSeeExpression.cs` takes less than -0.2 for joy). Read as

    eyeBlink           1 - eye open
    eyeWide            EyeLeft, EyeRight above 0
    browOuterUp        EyebrowUpDown above 0; browInnerUp the mean of both
    browDown           EyebrowUpDown below 0
    mouthSmile, -Frown MouthCornerUpDown below, above 0
    jawOpen            MouthOpen above 0
    mouthStretch       MouthWide above 0; mouthPucker below
    eyeLook            pupil less eyeball, when the pupils' confidence isn't 0

Steepness, quirk and in-out are not read and are written as 0. Written points are the reference face at rest, moved with the
head at a fixed scale; of an expression only the pupils are in them.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face import arkit
from engine.face.pose import euler_from_rotation, rotation_from_euler
from engine.face.reference import reference_face
from engine.protocols.convert import bounded, gaze_deg, looking, lost, quaternion_of, rotation_of
from engine.protocols.sample import MalformedPacketError, Sample

PORT: Final = 11573
MOST_FACES: Final = 40  # facetracker.py sends none from there on
UNITS: Final = 0.66  # of OpenSeeFace in an inter-ocular distance
WIDTH_PX, HEIGHT_PX = 640, 480  # of the picture that the written points are in
SCALE_PX = 100  # and its inter-ocular distance
SWAP: Final = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]], np.float32)
EYE_DEPTH: Final = 0.385  # eyeball's radius in distances of the eye corners, as `tracker.py` has it
# Its 66 points in MediaPipe's mesh: jaw, brows, nose, eyes, upper and lower lip, corner, inner lip, corner, inner lip.
POINTS: Final = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301, 168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    39, 37, 0, 267, 269, 405, 314, 17, 84, 181, 61, 82, 13, 312, 291, 317, 14, 87,
)  # fmt: skip
CORNERS: Final = ((36, 39), (42, 45))  # of the right and the left eye, the performer's
_FACE: Final = struct.Struct("<di2f2fBf4f3f3f68f136f210f14f")
_HEAD: Final = struct.Struct("<di2f2fBf4f3f3f")
_CONFIDENCES, _PAIRS, _FEATURES = 68, 136, 14


class Decoder:
    """Reads packets; keeps nothing between them."""

    def decode(self, data: bytes) -> Sample:
        """The sample of the first face. MalformedPacketError."""
        if not data or len(data) % _FACE.size or len(data) >= MOST_FACES * _FACE.size:
            raise MalformedPacketError(f"{len(data)} bytes")
        values = _FACE.unpack_from(data)
        right_open, left_open, posed = values[4:7]
        rest = np.array(values[18:], np.float64)
        if not np.isfinite(rest).all():
            raise MalformedPacketError("not a finite number")
        if not posed:
            return lost()
        x, y, z, w = values[8:12]
        rotation = SWAP @ rotation_of((-x, -y, -z, w))
        up, left, back = values[15:18]
        amounts = _amounts(right_open, left_open, rest[-_FEATURES:]) | _looks(rest)
        return bounded(
            arkit.coefficients(amounts), euler_from_rotation(rotation), (-left / UNITS, -up / UNITS, -back / UNITS)
        )


def encode(sample: Sample, time_s: float) -> list[bytes]:
    """One packet with one face; none when the performer is lost, as OpenSeeFace has it."""
    if not sample.seen:
        return []
    rotation = rotation_from_euler(*sample.angles_deg)
    x, y, z, w = quaternion_of(SWAP @ rotation)
    right, down, away = (float(v) * UNITS for v in sample.translation)
    opened = [1.0 - _amount(sample, f"eyeBlink{side}") for side in ("Right", "Left")]
    head = _HEAD.pack(
        time_s, 0, WIDTH_PX, HEIGHT_PX, *opened, 1, 0.0, -x, -y, -z, w, *_euler_deg(SWAP @ rotation), -down, -right, -away
    )  # fmt: skip
    shape = _shape(sample)
    picture = shape[:68] @ rotation.T + sample.translation
    picture_px = picture[:, :2] * SCALE_PX + (WIDTH_PX / 2, HEIGHT_PX / 2)
    points = shape * (-UNITS, UNITS, UNITS)  # facetracker.py turns y and z round
    rest = np.concatenate([np.ones(_CONFIDENCES), picture_px.ravel(), points.ravel(), _features(sample)])
    return [head + rest.astype("<f4").tobytes()]


def _euler_deg(rotation: NDArray[np.float32]) -> tuple[float, float, float]:
    """OpenCV's Euler angles, of the two triples for a rotation the one with y within -90 to 90."""
    x, y, z = cv2.RQDecomp3x3(rotation.astype(np.float64))[0]
    if abs(y) > 90:
        x, y, z = x + 180, 180 - y, z + 180
    return (x + 180) % 360 - 180, (y + 180) % 360 - 180, (z + 180) % 360 - 180


def _amount(sample: Sample, name: str) -> float:
    return float(sample.coefficients[arkit.INDEX[name]])


def _amounts(right_open: float, left_open: float, features: NDArray[np.float64]) -> dict[str, float]:
    """Coefficients by name, all but eyeLook; what is below 0 is clipped later."""
    wide = {"eyeWideLeft": features[0], "eyeWideRight": features[1]}
    brows = {"Left": features[3], "Right": features[6]}
    corners = {"Left": features[8], "Right": features[10]}
    mouth_open, mouth_wide = features[12], features[13]
    return {
        "eyeBlinkLeft": 1 - left_open,
        "eyeBlinkRight": 1 - right_open,
        **wide,
        **{f"browOuterUp{side}": up for side, up in brows.items()},
        **{f"browDown{side}": -up for side, up in brows.items()},
        "browInnerUp": sum(brows.values()) / 2,
        **{f"mouthFrown{side}": down for side, down in corners.items()},
        **{f"mouthSmile{side}": -down for side, down in corners.items()},
        "jawOpen": mouth_open,
        "mouthStretchLeft": mouth_wide,
        "mouthStretchRight": mouth_wide,
        "mouthPucker": -mouth_wide,
    }


def _features(sample: Sample) -> list[float]:
    """The 14 features of a sample."""
    brows, corners = {}, {}
    for side in ("Left", "Right"):
        raised = max(_amount(sample, f"browOuterUp{side}"), _amount(sample, "browInnerUp"))
        brows[side] = raised - _amount(sample, f"browDown{side}")
        corners[side] = _amount(sample, f"mouthFrown{side}") - _amount(sample, f"mouthSmile{side}")
    wide = (_amount(sample, "mouthStretchLeft") + _amount(sample, "mouthStretchRight")) / 2
    eyes = [_amount(sample, f"eyeWide{side}") - _amount(sample, f"eyeBlink{side}") for side in ("Left", "Right")]
    brow_rows = [0.0, brows["Left"], 0.0, 0.0, brows["Right"], 0.0]
    corner_rows = [corners["Left"], 0.0, corners["Right"], 0.0]
    return [*eyes, *brow_rows, *corner_rows, _amount(sample, "jawOpen"), wide - _amount(sample, "mouthPucker")]


def _looks(rest: NDArray[np.float64]) -> dict[str, float]:
    """Coefficients eyeLook from the pupils."""
    if (rest[66:68] <= 0).any():
        return {}
    points = rest[_CONFIDENCES + _PAIRS : -_FEATURES].reshape(-1, 3)
    turns = []
    for pupil, centre in ((67, 69), (66, 68)):
        left, down, away = points[pupil] - points[centre]
        turns.append((float(np.degrees(np.arctan2(-left, -away))), float(np.degrees(np.arctan2(down, -away)))))
    return looking(*turns)


@cache
def _resting() -> NDArray[np.float64]:
    """(70, 3) at rest in the canonical frame; the last four are the pupils and the eyeballs' centres, right then left."""
    skin = reference_face().mean[list(POINTS)].astype(np.float64)
    pupils = np.array([(skin[outer] + skin[inner]) / 2 for outer, inner in CORNERS])
    depths = [EYE_DEPTH * np.linalg.norm(skin[outer] - skin[inner]) for outer, inner in CORNERS]
    return np.concatenate([skin, pupils, pupils + [(0.0, 0.0, depth) for depth in depths]])


def _shape(sample: Sample) -> NDArray[np.float64]:
    """(70, 3) in the canonical frame with the pupils where the sample looks."""
    shape = _resting().copy()
    left, right = gaze_deg(sample.coefficients)
    for pupil, (yaw, pitch) in ((66, np.radians(right)), (67, np.radians(left))):
        direction = np.array([np.tan(yaw), np.tan(pitch), -1.0])
        radius = np.linalg.norm(shape[pupil] - shape[pupil + 2])
        shape[pupil] = shape[pupil + 2] + radius * direction / np.linalg.norm(direction)
    return shape

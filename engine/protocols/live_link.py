"""Live Link Face: what Epic's iPhone app sends to Unreal Engine, UDP port 11111.

A packet, all numbers big-endian:

    uint8           6, the version
    int32, bytes    device id: its length and that many bytes; a negative length counts UTF-16 units
    int32, bytes    subject name, the same way
    int32, float32  frame number and fraction of a frame
    int32, int32    frames per second: numerator, denominator
    uint8           61, or nothing from here on when the phone sees no face
    float32 * 61    the 52 of `arkit.NAMES`, head yaw, pitch, roll, yaw, pitch, roll of the left and of the right eye

Layout: JimWest/PyLiveLinkFace (whose ids begin with "$", which is the last byte of the length 36) and think-biq/LLV, which
cites `AppleARKitLiveLinkSource.cpp` of Unreal Engine.

Angles are radians. The head's are those of Unreal's FRotator seen from inside the face: yaw positive to the performer's own
right, pitch up, roll to the own right shoulder, so each is minus ours. The eyes' turn the other way: yaw positive to the
performer's left, pitch down, as ours. Eyes: two senders (LeftEyeYaw = EyeLookOutLeft - EyeLookInLeft, LeftEyePitch =
EyeLookDownLeft - EyeLookUpLeft); head: LLV's Blender add-on, which takes the eyes' from the head's. Not checked against a
phone; the app turns the head's round when it is held in landscape.

The packet has no position. The eyes' angles are not read, the coefficients eyeLook say the same; they are written.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final

from engine.face import arkit
from engine.protocols.convert import bounded, gaze_deg, lost
from engine.protocols.sample import MalformedPacketError, Sample

PORT: Final = 11111
VERSION: Final = 6
ANGLES: Final = (
    "headYaw", "headPitch", "headRoll",
    "leftEyeYaw", "leftEyePitch", "leftEyeRoll", "rightEyeYaw", "rightEyePitch", "rightEyeRoll",
)  # fmt: skip
COUNT: Final = arkit.COUNT + len(ANGLES)
LONGEST_NAME_BYTES: Final = 1024
RATE_HZ: Final = 60
DEVICE_ID: Final = b"6D696D69-6361-6D00-0000-000000000000"  # the length of a UUID, which some receivers count on
SUBJECT: Final = b"mimicam"
_BODY: Final = struct.Struct(f">ifiiB{COUNT}f")
_TIME_BYTES: Final = 16


class Decoder:
    """Reads packets; keeps nothing between them."""

    def decode(self, data: bytes) -> Sample:
        """The sample of a packet. MalformedPacketError."""
        if not data or data[0] != VERSION:
            raise MalformedPacketError("not version 6")
        body = data[_after_text(data, _after_text(data, 1)) :]
        if len(body) in (0, _TIME_BYTES) or (len(body) == _TIME_BYTES + 1 and body[-1] == 0):
            return lost()
        if len(body) != _BODY.size or body[_TIME_BYTES] != COUNT:
            raise MalformedPacketError(f"{len(body)} bytes of values")
        return sample_of(_BODY.unpack(body)[5:])


def encode(sample: Sample, time_s: float) -> list[bytes]:
    """One packet, at 60 frames a second of `time_s`; without values when the performer is lost."""
    header = b"".join((bytes([VERSION]), *(struct.pack(">i", len(text)) + text for text in (DEVICE_ID, SUBJECT))))
    if not sample.seen:
        return [header]
    fraction, frame = math.modf(time_s * RATE_HZ)
    return [header + _BODY.pack(int(frame) % 2**31, fraction, RATE_HZ, 1, COUNT, *values_of(sample))]


def sample_of(values: Sequence[float]) -> Sample:
    """The sample of 61 values as the app has them. MalformedPacketError."""
    angles_deg = [-math.degrees(angle) for angle in values[arkit.COUNT : arkit.COUNT + 3]]
    return bounded(values[: arkit.COUNT], angles_deg)


def values_of(sample: Sample) -> list[float]:
    """The 61 values of a sample; inverse of `sample_of`."""
    head = [-math.radians(angle) for angle in sample.angles_deg]
    eyes = [
        angle for yaw, pitch in gaze_deg(sample.coefficients) for angle in (math.radians(yaw), math.radians(pitch), 0.0)
    ]
    return [*(float(amount) for amount in sample.coefficients), *head, *eyes]


def _after_text(data: bytes, start: int) -> int:
    """Where a text that starts with its length ends."""
    if len(data) < start + 4:
        raise MalformedPacketError("ends in its header")
    (length,) = struct.unpack_from(">i", data, start)
    size_bytes = length if length >= 0 else -2 * length
    end = start + 4 + size_bytes
    if size_bytes > LONGEST_NAME_BYTES or end > len(data):
        raise MalformedPacketError(f"a name of {size_bytes} bytes")
    return end

"""VMC, the Virtual Motion Capture protocol: OSC messages from a performer to a marionette, UDP port 39539.

    /VMC/Ext/OK         loaded [calibration state, calibration mode [, tracking status]]; a tracking status of 0 is a loss
    /VMC/Ext/T          seconds
    /VMC/Ext/Bone/Pos   bone, position x, y, z (m), rotation x, y, z, w, both relative to the parent bone
    /VMC/Ext/Blend/Val  name, amount from 0 to 1
    /VMC/Ext/Blend/Apply  the amounts since the last one count now

Source: https://protocol.vmc.info/english and https://sh-akira.github.io/VirtualMotionCaptureProtocol/marionette-spec

Bones are in Unity's left-handed axes seen from the avatar, which faces +z: x to its own right, y up. Each is minus ours, so
a rotation matrix is the same in both, and a position is minus ours. The head's turn is the product of Neck and Head, its
position that of Head; what else turns (spine, root) is not read. Written are Head and an unmoved Neck.

Read are ARKit's 52 names in any case ("perfect sync"). A sender of which none was seen is taken by the expressions of VRM
(0 and 1), each of which adds the coefficients of `EXPRESSIONS`. Written are both, perfect sync as `JawOpen` and the
expressions of VRM 0 by `_expressions`; so an avatar that has both kinds must be told to use one.

A frame may be spread over datagrams: what was said is kept until it is said anew, and Apply gives a sample.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage, ParseError
from pythonosc.osc_message_builder import build_msg

from engine.face import arkit
from engine.face.pose import euler_from_rotation, rotation_from_euler
from engine.protocols.convert import BY_LOWER_CASE, bounded, lost, quaternion_of, rotation_of
from engine.protocols.sample import INTER_OCULAR_M, MalformedPacketError, Sample

PORT: Final = 39539
LONGEST_BYTES: Final = 16384
DEEPEST: Final = 4  # bundles in bundles; senders use one
MOST_MESSAGES: Final = 512
LARGEST: Final = 1e6
PACKET_BYTES: Final = 1400  # of a written bundle, so that no network splits it

_A = {"jawOpen": 0.7}
_I = {"jawOpen": 0.1, **arkit.both(mouthStretch=0.6)}
_U = {"jawOpen": 0.15, "mouthPucker": 0.8}
_E = {"jawOpen": 0.3, **arkit.both(mouthStretch=0.3, mouthLowerDown=0.3)}
_O = {"jawOpen": 0.4, "mouthFunnel": 0.7}
_JOY = arkit.both(mouthSmile=0.8, cheekSquint=0.5)
_ANGRY = arkit.both(browDown=0.9, noseSneer=0.4, mouthPress=0.3)
_SORROW = {"browInnerUp": 0.8, **arkit.both(mouthFrown=0.7)}
_FUN = arkit.both(mouthSmile=0.5, eyeSquint=0.4)
_SURPRISED = {"browInnerUp": 0.8, "jawOpen": 0.3, **arkit.both(browOuterUp=0.8, eyeWide=0.8)}
_LEFT, _RIGHT = {"eyeBlinkLeft": 1.0}, {"eyeBlinkRight": 1.0}
EXPRESSIONS: Final = {  # of VRM 0 and VRM 1, in lower case; left and right are the avatar's own
    "a": _A, "i": _I, "u": _U, "e": _E, "o": _O, "aa": _A, "ih": _I, "ou": _U, "ee": _E, "oh": _O,
    "blink": _LEFT | _RIGHT, "blink_l": _LEFT, "blink_r": _RIGHT, "blinkleft": _LEFT, "blinkright": _RIGHT,
    "joy": _JOY, "happy": _JOY, "angry": _ANGRY, "sorrow": _SORROW, "sad": _SORROW, "fun": _FUN, "relaxed": _FUN,
    "surprised": _SURPRISED,
    "lookleft": {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0},
    "lookright": {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0},
    "lookup": arkit.both(eyeLookUp=1.0), "lookdown": arkit.both(eyeLookDown=1.0),
}  # fmt: skip
_BUNDLE: Final = b"#bundle\0"
_OURS: Final = re.compile(rb"/VMC/Ext/(OK|Bone/Pos|Blend/Val|Blend/Apply)\0{1,4}(,([ifhdsTF]{0,16})\0|$)")


class Decoder:
    """Reads datagrams and keeps what is said until it is applied."""

    def __init__(self) -> None:
        self._amounts: dict[str, float] = {}  # by lower case name, known ones only
        self._bones: dict[str, tuple[NDArray[np.float32], tuple[float, ...]]] = {}
        self._tracked = True

    def decode(self, data: bytes) -> Sample | None:
        """The sample if the datagram applies one. MalformedPacketError; what came before in the datagram is kept."""
        if len(data) > LONGEST_BYTES:
            raise MalformedPacketError(f"{len(data)} bytes")
        applied = None
        for message in _messages(data):
            address, values = _parse(message)
            if address == "Blend/Apply":
                applied = self._sample()
            elif address:
                self._hear(address, values)
        return applied

    def _hear(self, address: str, values: list[Any]) -> None:
        if address == "OK":
            flags = _numbers(values)
            self._tracked = all(flag != 0 for flag in (*flags[:1], *flags[3:4]))
            return
        if not values or not isinstance(values[0], str):
            raise MalformedPacketError(f"{address} without a name")
        name, numbers = values[0].lower(), _numbers(values[1:])
        if address == "Blend/Val" and len(numbers) == 1:
            if name in BY_LOWER_CASE or name in EXPRESSIONS:
                self._amounts[name] = min(max(numbers[0], 0.0), 1.0)
        elif address == "Bone/Pos" and len(numbers) == 7:
            if name in ("head", "neck"):
                x, y, z, w = numbers[3:]
                self._bones[name] = rotation_of((x, y, z, w)), tuple(numbers[:3])
        else:
            raise MalformedPacketError(f"{address} of {len(numbers)} numbers")

    def _sample(self) -> Sample:
        if not self._tracked:
            return lost()
        amounts = np.zeros(arkit.COUNT)
        exact = {name: amount for name, amount in self._amounts.items() if name in BY_LOWER_CASE}
        for name, amount in exact.items():
            amounts[BY_LOWER_CASE[name]] = amount
        for name, amount in {} if exact else self._amounts.items():
            amounts += amount * arkit.coefficients(EXPRESSIONS[name])
        still = np.eye(3, dtype=np.float32), (0.0, 0.0, 0.0)
        neck, (head, position_m) = self._bones.get("neck", still)[0], self._bones.get("head", still)
        moved = [-value / INTER_OCULAR_M for value in position_m]
        return bounded(amounts, euler_from_rotation(neck @ head), moved)


def encode(sample: Sample, time_s: float) -> list[bytes]:
    """Bundles of one frame, each of at most 1400 bytes, the last one with Apply."""
    messages = [build_msg("/VMC/Ext/OK", [1, 3, 0, int(sample.seen)]), build_msg("/VMC/Ext/T", [float(time_s)])]
    if sample.seen:
        turn = quaternion_of(rotation_from_euler(*sample.angles_deg))
        position_m = [-float(value) * INTER_OCULAR_M for value in sample.translation]
        messages.append(build_msg("/VMC/Ext/Bone/Pos", ["Neck", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]))
        messages.append(build_msg("/VMC/Ext/Bone/Pos", ["Head", *position_m, *turn]))
        amounts = dict(zip(arkit.NAMES, (float(amount) for amount in sample.coefficients), strict=True))
        exact = {name[0].upper() + name[1:]: amount for name, amount in amounts.items()}
        for name, amount in (exact | _expressions(amounts)).items():
            messages.append(build_msg("/VMC/Ext/Blend/Val", [name, amount]))
    return list(_bundles([*messages, build_msg("/VMC/Ext/Blend/Apply")]))


def _bundles(messages: list[OscMessage]) -> Iterator[bytes]:
    builder, size_bytes = OscBundleBuilder(IMMEDIATELY), 16
    for message in messages:
        if size_bytes + 4 + message.size > PACKET_BYTES:
            yield builder.build().dgram
            builder, size_bytes = OscBundleBuilder(IMMEDIATELY), 16
        builder.add_content(message)
        size_bytes += 4 + message.size
    yield builder.build().dgram


def _expressions(amounts: dict[str, float]) -> dict[str, float]:
    """Expressions of VRM 0 from coefficients by name: the lips' shape shares out how far the jaw is open."""

    def mean(name: str) -> float:
        return (amounts[f"{name}Left"] + amounts[f"{name}Right"]) / 2

    opened, spread = min(1.0, amounts["jawOpen"] / 0.7), min(1.0, mean("mouthStretch") / 0.6)
    pursed, rounded = min(1.0, amounts["mouthPucker"] / 0.8), min(1.0, amounts["mouthFunnel"] / 0.7)
    plain = 1 - max(spread, pursed, rounded)
    return {
        "A": opened * plain,
        "I": spread * (1 - opened),
        "U": pursed,
        "E": spread * opened,
        "O": rounded * (1 - pursed),
        "Blink_L": amounts["eyeBlinkLeft"],
        "Blink_R": amounts["eyeBlinkRight"],
        "Joy": min(1.0, mean("mouthSmile") / 0.8),
        "Angry": min(1.0, mean("browDown") / 0.9),
        "Sorrow": min(1.0, mean("mouthFrown") / 0.7),
        "Surprised": min(1.0, mean("browOuterUp") / 0.8) * min(1.0, mean("eyeWide") / 0.8),
        "LookLeft": (amounts["eyeLookOutLeft"] + amounts["eyeLookInRight"]) / 2,
        "LookRight": (amounts["eyeLookInLeft"] + amounts["eyeLookOutRight"]) / 2,
        "LookUp": mean("eyeLookUp"),
        "LookDown": mean("eyeLookDown"),
    }


def _messages(data: bytes) -> list[bytes]:
    """The messages of a datagram, in order.

    Bundles are taken apart here because python-osc 1.10.2 never comes to an end where an element's length is negative, and
    calls itself for every bundle in a bundle.
    """
    found: list[bytes] = []
    waiting = [(data, 0)]
    while waiting:
        part, depth = waiting.pop()
        if not part.startswith(_BUNDLE):
            found.append(part)
        elif depth == DEEPEST:
            raise MalformedPacketError("bundles in bundles")
        else:
            waiting += [(element, depth + 1) for element in reversed(_elements(part))]
        if len(found) + len(waiting) > MOST_MESSAGES:
            raise MalformedPacketError("too many messages")
    return found


def _elements(bundle: bytes) -> list[bytes]:
    elements, at = [], len(_BUNDLE) + 8  # after the time tag
    while at < len(bundle):
        if at + 4 > len(bundle):
            raise MalformedPacketError("ends in a length")
        (size_bytes,) = struct.unpack_from(">i", bundle, at)
        if not 0 < size_bytes <= len(bundle) - at - 4:
            raise MalformedPacketError(f"an element of {size_bytes} bytes")
        elements.append(bundle[at + 4 : at + 4 + size_bytes])
        at += 4 + size_bytes
    return elements


def _parse(message: bytes) -> tuple[str, list[Any]]:
    """Address after /VMC/Ext/ and arguments; "" for a message that says nothing of a face."""
    if not message.startswith(b"/"):
        raise MalformedPacketError("neither message nor bundle")
    matched = _OURS.match(message)
    if matched is None:
        return "", []
    try:
        return matched[1].decode("ascii"), OscMessage(message).params
    except (ParseError, ValueError) as error:  # ValueError: text that isn't UTF-8
        raise MalformedPacketError(str(error)) from error


def _numbers(values: list[Any]) -> list[float]:
    """The arguments, which have to be numbers of some sense: what is kept would spoil every later frame."""
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    if len(numbers) != len(values) or not all(abs(number) <= LARGEST for number in numbers):
        raise MalformedPacketError("not a number, or too large")
    return numbers

"""iFacialMocap: text that an iPhone sends to UDP port 49983 once it has been greeted at its own port 49983.

    mouthSmile_R-0|eyeLookOut_L-12|...|=head#rx,ry,rz,tx,ty,tz|rightEye#rx,ry,rz|leftEye#rx,ry,rz|

Coefficients from 0 to 100. Version 2 has `&` for `-`, so that a name may hold a hyphen, and so has Facemotion3D, with
`Left` for `_L`; all are read, version 1 is written. `trackingStatus-0` says that the performer is lost.
Source: https://www.ifacialmocap.com/for-developer/ and https://www.facemotion3d.net/chinese/for-developer/

Angles are degrees about ARKit's axes of the face, right-handed: x to the performer's left, y up, z out of the face. So rx is
our pitch, ry our yaw, rz minus our roll. The packets in that documentation agree: eyeLookDown goes with positive rx of the
eyes, eyeLookIn_R and eyeLookOut_L with positive ry. The position is metres in the camera's axes: x right, y up, z towards
the viewer (it is negative in those packets, -0.66 m), so ours is (x, -y, -z).

The eyes' angles are not read, the coefficients eyeLook say the same; they are written.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from engine.face import arkit
from engine.protocols.convert import bounded, gaze_deg, lost
from engine.protocols.sample import INTER_OCULAR_M, MalformedPacketError, Sample

PORT: Final = 49983
HELLO: Final = b"iFacialMocap_sahuasouryya9218sauhuiayeta91555dy3719"
LONGEST_BYTES: Final = 8192  # a packet has 1200
_NAMES: Final = [name.replace("Left", "_L").replace("Right", "_R") for name in arkit.NAMES]
# jawLeft and mouthRight have no other side, so the app leaves their names alone
NAMES: Final = [
    name if name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight") else short
    for name, short in zip(arkit.NAMES, _NAMES, strict=True)
]
INDEX: Final = arkit.INDEX | {name: index for index, name in enumerate(NAMES)}


class Decoder:
    """Reads packets; keeps nothing between them."""

    def decode(self, data: bytes) -> Sample:
        """The sample of a packet. MalformedPacketError."""
        if len(data) > LONGEST_BYTES:
            raise MalformedPacketError(f"{len(data)} bytes")
        try:
            text = data.decode("ascii")
            return _sample(text.replace("=", "|").split("|"))
        except ValueError as error:  # not ASCII, or not a number
            raise MalformedPacketError(str(error)) from error


def encode(sample: Sample, time_s: float) -> list[bytes]:
    """One packet of version 1; the protocol has no time."""
    fields = [f"trackingStatus-{int(sample.seen)}"]
    fields += [f"{name}-{round(100 * float(a))}" for name, a in zip(NAMES, sample.coefficients, strict=True)]
    yaw, pitch, roll = sample.angles_deg
    x, y, z = (float(v) * INTER_OCULAR_M for v in sample.translation)
    left, right = gaze_deg(sample.coefficients)
    fields.append("=" + _vector("head", pitch, yaw, -roll, x, -y, -z))
    fields += [_vector("rightEye", right[1], right[0], 0.0), _vector("leftEye", left[1], left[0], 0.0)]
    return ["".join(f"{field}|" for field in fields).encode("ascii")]


def _vector(name: str, *values: float) -> str:
    return f"{name}#" + ",".join(f"{value:.6f}" for value in values)


def _sample(fields: list[str]) -> Sample:
    """ValueError for what isn't a number, MalformedPacketError for what isn't iFacialMocap's."""
    amounts = np.zeros(arkit.COUNT, np.float64)
    head, known, tracked = [0.0] * 6, 0, True
    for field in fields:
        if "#" in field:
            name, _, numbers = field.partition("#")
            if name == "head":
                head = _head(numbers)
            continue
        name, _, amount = field.partition("&" if "&" in field else "-")
        if name in INDEX:
            amounts[INDEX[name]] = float(amount) / 100
            known += 1
        elif name == "trackingStatus":
            tracked = float(amount) != 0
    if not known:
        raise MalformedPacketError("no coefficient that is known")
    rx, ry, rz, tx, ty, tz = head
    moved = [tx / INTER_OCULAR_M, -ty / INTER_OCULAR_M, -tz / INTER_OCULAR_M]
    sample = bounded(amounts, (ry, rx, -rz), moved)
    return sample if tracked else lost()


def _head(numbers: str) -> list[float]:
    values = [float(number) for number in numbers.split(",")]
    if len(values) not in (3, 6):
        raise MalformedPacketError(f"a head of {len(values)} numbers")
    return values + [0.0] * (6 - len(values))

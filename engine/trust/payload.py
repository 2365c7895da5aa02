"""The 48 bits that a mark carries, and the code that brings them through.

Six bytes: 4 bits version, 28 bits of the puppet's hash, 16 bits day. Nine bytes of Reed and Solomon's code
follow. Each of the 15 bytes is sent as one of 256 sequences of 128 chips, any two of which are orthogonal or opposite (the
Reed-Muller code RM(1, 7); Mariner 9 sent pictures with its smaller sister), so that a byte is heard as a whole.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from reedsolo import ReedSolomonError, RSCodec

VERSION: Final = 1
FIRST_DAY: Final = dt.date(2020, 1, 1)
BYTES: Final = 6
SYMBOLS: Final = 15  # bytes with those of the code
CHIPS: Final = 128  # of a symbol
CODE: Final = RSCodec(SYMBOLS - BYTES)


@dataclass(frozen=True, slots=True)
class Payload:
    """What a mark says to whoever has the key."""

    puppet: int  # the first 28 bits of the SHA-256 of what was signed with the puppet
    day: dt.date  # on which the picture was made
    version: int = VERSION

    def to_bytes(self) -> bytes:
        """Six bytes."""
        days = (self.day - FIRST_DAY).days & 0xFFFF
        return (self.version << 44 | (self.puppet & 0xFFFFFFF) << 16 | days).to_bytes(BYTES)

    @classmethod
    def from_bytes(cls, data: bytes) -> Payload:
        """The payload of six bytes."""
        bits = int.from_bytes(data)
        return cls(bits >> 16 & 0xFFFFFFF, FIRST_DAY + dt.timedelta(days=bits & 0xFFFF), bits >> 44)


@cache
def walsh() -> NDArray[np.int8]:
    """(128, 128) int8 of -1 and 1: orthogonal rows (Sylvester's construction of a Hadamard matrix)."""
    rows = np.ones((1, 1), np.int8)
    while len(rows) < CHIPS:
        rows = np.block([[rows, rows], [rows, -rows]])
    return rows


def chips_of(payload: Payload) -> NDArray[np.int8]:
    """(15, 128) int8 of -1 and 1."""
    symbols = np.frombuffer(bytes(CODE.encode(payload.to_bytes())), np.uint8)
    sign = np.where(symbols >= CHIPS, -1, 1).astype(np.int8)
    return np.asarray(walsh()[symbols % CHIPS] * sign[:, None], np.int8)


@dataclass(frozen=True, slots=True)
class Heard:
    """A payload, and how surely it was heard."""

    payload: Payload
    corrected: int  # symbols of the 15 that were wrong


def payload_in(soft: NDArray[np.float32]) -> Heard | None:
    """The payload of (15, 128) chips with noise, whatever their scale; None where the code says that they carry none.

    Chips of another key give a payload in fewer than one of 10 000 cases: few words of the code lie near a random one, and the
    version must be a known one.
    """
    scores = soft @ walsh().T  # (15, 128)
    best = np.abs(scores).argmax(1)
    symbols = best + CHIPS * (np.take_along_axis(scores, best[:, None], 1)[:, 0] < 0)
    try:
        data, _, wrong = CODE.decode(bytes(symbols.astype(np.uint8)))
    except ReedSolomonError:
        return None
    payload = Payload.from_bytes(bytes(data))
    return Heard(payload, len(wrong)) if payload.version == VERSION else None

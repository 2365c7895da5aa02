"""What pictures a camera offers, as Linux's video driver lists them (V4L2: VIDIOC_ENUM_FMT, _FRAMESIZES, _FRAMEINTERVALS)."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

BUFFER_CAPTURE = 1  # V4L2_BUF_TYPE_VIDEO_CAPTURE
DISCRETE = 1  # V4L2_FRMSIZE_TYPE_DISCRETE, V4L2_FRMIVAL_TYPE_DISCRETE
FORMAT_BYTES, SIZE_BYTES, INTERVAL_BYTES = 64, 44, 52  # of the three structures
MOST = 64  # entries of one list; drivers that list more repeat themselves


def _request(number: int, size: int) -> int:
    """_IOWR('V', number, size)."""
    return (3 << 30) | (size << 16) | (ord("V") << 8) | number


ENUM_FORMAT = _request(2, FORMAT_BYTES)
ENUM_SIZE = _request(74, SIZE_BYTES)
ENUM_INTERVAL = _request(75, INTERVAL_BYTES)
Ask = Callable[[int, bytearray], None]  # an ioctl on an open device; OSError at a list's end


@dataclass(frozen=True, slots=True)
class Mode:
    """One kind of picture."""

    fourcc: str  # MJPG, YUYV, ...
    width_px: int
    height_px: int
    rate_hz: float  # the highest; 0 where the driver doesn't say

    def __str__(self) -> str:
        """As a person would write it."""
        return f"{self.width_px}x{self.height_px} at {self.rate_hz:g} Hz {self.fourcc}"


def camera_modes(device: str) -> list[Mode]:
    """All modes of a camera. OSError when it can't be opened."""
    descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    try:
        return list(list_modes(lambda request, record: _ioctl(descriptor, request, record)))
    finally:
        os.close(descriptor)


def _ioctl(descriptor: int, request: int, record: bytearray) -> None:
    import fcntl  # Windows has none, and this module is imported everywhere

    fcntl.ioctl(descriptor, request, record)


def list_modes(ask: Ask) -> Iterator[Mode]:
    """The modes that a driver lists when it is asked. Sizes given as a range count as its largest."""
    for format_record in _records(ask, ENUM_FORMAT, FORMAT_BYTES, struct.pack("<I", BUFFER_CAPTURE)):
        pixel = format_record[44:48]
        for size_record in _records(ask, ENUM_SIZE, SIZE_BYTES, pixel):
            kind, *numbers = struct.unpack_from("<I6I", size_record, 8)
            width, height = (numbers[0], numbers[1]) if kind == DISCRETE else (numbers[1], numbers[4])
            rates = []
            for record in _records(ask, ENUM_INTERVAL, INTERVAL_BYTES, pixel + struct.pack("<II", width, height)):
                _, over, under = struct.unpack_from("<3I", record, 16)  # of a range: the shortest interval
                rates.append(under / over if over else 0.0)
            yield Mode(pixel.decode("ascii", "replace").strip(), width, height, round(max(rates, default=0.0), 2))


def _records(ask: Ask, request: int, size: int, key: bytes) -> Iterator[bytes]:
    """Every entry of a list: `key` follows the index."""
    for index in range(MOST):
        record = bytearray(size)
        record[: 4 + len(key)] = struct.pack("<I", index) + key
        try:
            ask(request, record)
        except OSError:
            return
        yield bytes(record)

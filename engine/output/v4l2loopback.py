"""What Linux's v4l2loopback needs besides pictures.

Version 0.12 (Debian 12, Ubuntu 22.04) with exclusive_caps=1 does not notice that a program which wrote with write(2), as
pyvirtualcam does, has closed the device: it never offers output again, and the second run fails. The driver marks a
writer only at VIDIOC_STREAMON; an opener that says so and closes sets it right. See docs/decisions/007.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from pathlib import Path

VIDIOC_QUERYCAP, VIDIOC_STREAMON = 0x80685600, 0x40045612
CAPTURE, OUTPUT = 0x1, 0x2  # V4L2_CAP_VIDEO_...
DRIVER = b"v4l2 loopback"
BUFFER_OUTPUT = 2  # V4L2_BUF_TYPE_VIDEO_OUTPUT


def capabilities(device: str) -> int:
    """Capability bits of a video device. OSError when it can't be opened or isn't one."""
    return int(struct.unpack_from("<I", _described(device), 88)[0])


def devices() -> list[str]:
    """All devices of this driver."""
    found = []
    for path in sorted(Path("/dev").glob("video*")):
        with contextlib.suppress(OSError):
            if _described(str(path))[:16].rstrip(b"\0") == DRIVER:
                found.append(str(path))
    return found


def _described(device: str) -> bytes:
    """What VIDIOC_QUERYCAP answers: struct v4l2_capability."""
    answer = bytearray(104)
    descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(descriptor, VIDIOC_QUERYCAP, answer)
    finally:
        os.close(descriptor)
    return bytes(answer)


def free_stuck(device: str) -> None:
    """Let a device offer output again that offers neither capture nor output: its last writer left it so."""
    with contextlib.suppress(OSError):
        if not capabilities(device) & (CAPTURE | OUTPUT):
            say_writer_left(device)


def say_writer_left(device: str) -> None:
    """Tell the driver that the writer is gone. Only for whoever was that writer."""
    with contextlib.suppress(OSError):
        descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK)
        try:
            fcntl.ioctl(descriptor, VIDIOC_STREAMON, struct.pack("i", BUFFER_OUTPUT))
        finally:
            os.close(descriptor)

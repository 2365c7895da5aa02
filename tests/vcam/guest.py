"""What runs in the virtual machine: writes to v4l2loopback devices as mimicam does and reads them as a call program does.

/dev/video10 has exclusive_caps=1, /dev/video11 has not. Ends with the line `vcam: all good`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from engine.capture.modes import camera_modes
from engine.errors import OutputError
from engine.live.frame import Frame
from engine.output.v4l2loopback import CAPTURE, OUTPUT, capabilities
from engine.output.virtual_camera import VirtualCameraSink

SIZE, RATE_HZ = (320, 180), 10.0
LEVELS = (40, 90, 140, 190, 240)


def check(what: str, good: bool, found: object) -> None:
    """Print a line; end the run when it isn't good."""
    print(f"vcam: {'ok  ' if good else 'BAD '} {what}: {found}", flush=True)
    if not good:
        sys.exit(1)


class Writer:
    """Feeds a device from a thread, pictures of changing brightness."""

    def __init__(self, device: str) -> None:
        self._sink = VirtualCameraSink(SIZE, RATE_HZ, device)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for index in count():
            level = LEVELS[index % len(LEVELS)]
            self._sink.send(Frame(np.full((SIZE[1], SIZE[0], 3), level, np.uint8), index, time.monotonic()))
            if self._stop.wait(1 / RATE_HZ):
                return

    def close(self) -> None:
        """Stop and close the device."""
        self._stop.set()
        self._thread.join()
        self._sink.close()


def read(device: str, frames: int) -> list[tuple[tuple[int, ...], int]]:
    """(shape, brightness) of some frames, through OpenCV as any other program would."""
    capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
    found = []
    while len(found) < frames:
        good, picture = capture.read()
        if not good:
            break
        found.append((picture.shape, int(picture.mean())))
    capture.release()
    return found


def known(found: list[tuple[tuple[int, ...], int]]) -> bool:
    """All frames have the size that was written, and brightnesses that were."""
    return all(s == (SIZE[1], SIZE[0], 3) and min(abs(v - level) for level in LEVELS) <= 6 for s, v in found)


def with_writer(device: str, body: Callable[[], None]) -> None:
    """Run `body` while the device is fed."""
    writer = Writer(device)
    time.sleep(1)
    try:
        body()
    finally:
        writer.close()


def check_device(device: str, exclusive: bool) -> None:
    """Open, read, leave and come back, close and open again."""
    idle = capabilities(device)
    check(f"{device} unused offers output", bool(idle & OUTPUT), hex(idle))

    def first() -> None:
        fed = capabilities(device)
        check(f"{device} fed offers capture", bool(fed & CAPTURE), hex(fed))
        modes = camera_modes(device)
        check(f"{device} lists the size it is fed", SIZE in {(m.width_px, m.height_px) for m in modes}, modes)
        check(f"{device} fed hides output only with exclusive_caps", bool(fed & OUTPUT) != exclusive, hex(fed))
        found = read(device, 20)
        check(f"{device} 20 frames of the written size and brightness", len(found) == 20 and known(found), found[:2])
        again = read(device, 10)
        check(f"{device} a reader that left comes back", len(again) == 10 and known(again), len(again))

    def second() -> None:
        found = read(device, 10)
        check(f"{device} opened again after close", len(found) == 10 and known(found), len(found))

    def third() -> None:
        """The reader stays while the writer goes and comes back, as a call program does."""
        stay = cv2.VideoCapture(device, cv2.CAP_V4L2)
        before = stay.read()[0]
        writers.pop().close()
        writers.append(Writer(device))
        time.sleep(1)
        after = [stay.read() for _ in range(5)]
        stay.release()
        good = before and all(
            ok and abs(int(p.mean()) - min(LEVELS, key=lambda v: abs(v - p.mean()))) <= 6 for ok, p in after
        )
        check(f"{device} a reader that stays sees the next writer", good, len(after))

    with_writer(device, first)
    with_writer(device, second)
    writers = [Writer(device)]
    time.sleep(1)
    try:
        third()
    finally:
        writers.pop().close()


def check_mimicam() -> None:
    """`mimicam run` itself, seen by a reader."""
    words = [
        "--camera",
        "demo",
        "--runtime",
        "none",
        "--output",
        "virtual:/dev/video10",
        "--size",
        "320x180",
        "--rate",
        "5",
        "--seconds",
        "90",
    ]
    run = subprocess.Popen(
        [sys.executable, "-m", "engine", "run", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 900
    while not capabilities("/dev/video10") & CAPTURE and run.poll() is None and time.monotonic() < deadline:
        time.sleep(1)
    found = read("/dev/video10", 15)
    good = len(found) == 15 and all(shape == (180, 320, 3) and value > 10 for shape, value in found)
    check("mimicam run feeds the device", good, found[:3])
    out, _ = run.communicate(timeout=600)
    # an emulated processor needs ten seconds to track a frame, longer than the stages get to end: that is then said
    in_order = run.returncode == 0 or "still busy" in out
    check("mimicam run ends with its report", in_order and "frame age" in out, out.strip()[-200:])


def main() -> None:
    """Everything."""
    print(f"vcam: kernel {os.uname().release}, devices {sorted(p.name for p in Path('/dev').glob('video*'))}")
    check_device("/dev/video10", exclusive=True)
    check_device("/dev/video11", exclusive=False)
    try:
        VirtualCameraSink(SIZE, RATE_HZ, "/dev/video99")
        check("a device that isn't there is refused", False, "opened")
    except OutputError as error:
        check("a device that isn't there is refused", True, error.found)
    check_mimicam()
    print("vcam: all good", flush=True)


if __name__ == "__main__":
    main()

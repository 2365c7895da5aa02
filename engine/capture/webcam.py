"""A webcam through OpenCV: settings are read back and compared; a camera that goes away is waited for."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.capture.back_off import DARK_PERIOD_S, BackOff
from engine.errors import SourceError
from engine.live.frame import Frame

SYSFS = Path("/sys/class/video4linux")
RATE_TOLERANCE = 0.9


@dataclass(frozen=True, slots=True)
class WebcamFormat:
    """What is asked of a camera; None takes what it gives."""

    width_px: int | None = None
    height_px: int | None = None
    rate_hz: float | None = None


def cameras() -> list[tuple[str, str]]:
    """(device, name) of the cameras that Linux lists; empty on other systems."""
    found = []
    for entry in sorted(SYSFS.glob("video*"), key=lambda p: int(p.name[5:])) if SYSFS.is_dir() else []:
        try:
            found.append((f"/dev/{entry.name}", (entry / "name").read_text().strip()))
        except OSError:
            continue
    return found


def resolve(spec: str) -> int | str:
    """Index or device path for an index, a path or part of a camera's name. SourceError when no name fits."""
    if spec.isdigit():
        return int(spec)
    if spec.startswith("/dev/"):
        return spec
    for device, name in cameras():
        if spec.lower() in name.lower():
            return device
    there = ", ".join(f"{d} ({n})" for d, n in cameras()) or "no camera"
    raise SourceError(
        wanted=f"a camera called '{spec}'", found=there, advice="Give its index, its path or part of its name."
    )


def open_capture(camera: int | str) -> Any:
    """OpenCV's capture of a camera."""
    return cv2.VideoCapture(camera, cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY)


class Webcam:
    """Frames of a camera at its own rate."""

    def __init__(
        self,
        spec: str,
        wanted: WebcamFormat,
        opener: Callable[[int | str], Any] = open_capture,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Open it. SourceError when there is none, another program has it, or it refuses the format."""
        self._spec, self._wanted, self._opener, self._sleep = spec, wanted, opener, sleep
        self._index = -1
        self._closed = False
        self.reconnected = 0
        self._capture: Any = self._open()
        self._size = (480, 640)
        self._away: BackOff | None = None

    def read(self) -> Frame | None:
        """The next frame; black while the camera is away; None after `close`."""
        while not self._closed:
            if self._away is not None:
                return self._frame(self._black_while(self._away))
            ok, bgr = self._capture.read()
            if ok and bgr is not None:
                self._size = bgr.shape[:2]
                return self._frame(np.asarray(bgr, np.uint8))
            self._went_away()
        return None

    def close(self) -> None:
        """Free the camera."""
        self._closed = True
        if self._capture is not None:
            self._capture.release()

    def _frame(self, bgr: NDArray[np.uint8]) -> Frame:
        self._index += 1
        return Frame(np.ascontiguousarray(bgr), self._index, time.monotonic())

    def _went_away(self) -> None:
        self._capture.release()
        self._capture = None
        self._away = BackOff(time.monotonic())

    def _black_while(self, away: BackOff) -> NDArray[np.uint8]:
        if away.due(time.monotonic()):
            try:
                self._capture = self._open()
                self._away = None
                self.reconnected += 1
            except SourceError:
                away.failed(time.monotonic())
        self._sleep(DARK_PERIOD_S)
        return np.zeros((*self._size, 3), np.uint8)

    def _open(self) -> Any:
        self._camera = resolve(self._spec)  # each time: a camera may come back under another path
        capture = self._opener(self._camera)
        if not capture.isOpened():
            capture.release()
            raise self._not_opened()
        try:
            self._set_format(capture)
        except SourceError:
            capture.release()
            raise
        return capture

    def _not_opened(self) -> SourceError:
        device = f"/dev/video{self._camera}" if isinstance(self._camera, int) else self._camera
        there = ", ".join(f"{d} ({n})" for d, n in cameras()) or "no camera at all"
        if sys.platform == "linux" and not Path(device).exists():
            return SourceError(
                wanted=f"the camera {device}",
                found=there,
                advice="Plug it in, or try '--camera demo' to see mimicam without one.",
            )
        if sys.platform == "linux" and not os.access(device, os.R_OK | os.W_OK):
            return SourceError(
                wanted=f"the camera {device}",
                found="no permission to open it",
                advice="Add yourself to the group 'video' and log in again.",
            )
        return SourceError(
            wanted=f"the camera {device}",
            found="it can't be opened",
            advice="Another program may be using it: close that one, or choose another camera.",
        )

    def _set_format(self, capture: Any) -> None:
        wanted = self._wanted
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._ask(capture)
        if wanted.rate_hz and capture.get(cv2.CAP_PROP_FPS) < RATE_TOLERANCE * wanted.rate_hz:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))  # raw pictures don't fit through USB 2
            self._ask(capture)
        size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        rate = float(capture.get(cv2.CAP_PROP_FPS))
        asked = (wanted.width_px or size[0], wanted.height_px or size[1])
        if size != asked or (wanted.rate_hz and 0 < rate < RATE_TOLERANCE * wanted.rate_hz):
            raise SourceError(
                wanted=f"{asked[0]} x {asked[1]} at {wanted.rate_hz or rate:g} Hz from the camera {self._camera}",
                found=f"it gives {size[0]} x {size[1]} at {rate:g} Hz",
                advice="Ask for that with --camera-size and --rate, or leave them out.",
            )

    def _ask(self, capture: Any) -> None:
        if self._wanted.width_px and self._wanted.height_px:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._wanted.width_px)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._wanted.height_px)
        if self._wanted.rate_hz:
            capture.set(cv2.CAP_PROP_FPS, self._wanted.rate_hz)

"""A still picture, or a folder of pictures in the order of their names, as a camera of a given rate."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.errors import SourceError
from engine.live.frame import Frame
from engine.live.pacer import Pacer

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def read_picture(path: Path) -> NDArray[np.uint8]:
    """BGR picture (height, width, 3). SourceError when it is missing, empty or no picture."""
    content = np.frombuffer(path.read_bytes(), np.uint8) if path.is_file() else np.empty(0, np.uint8)
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    if picture is None:
        found = "an empty or damaged file" if path.is_file() else "no such file"
        raise SourceError(wanted=f"a picture at {path}", found=found, advice="Give a JPEG or PNG file.")
    return np.asarray(picture, np.uint8)


class Pictures:
    """One picture for ever, or each picture of a folder once."""

    def __init__(self, path: Path, rate_hz: float) -> None:
        """Look what is there. SourceError when there is no picture."""
        self._repeat = path.is_file() or not path.is_dir()
        found = [path] if self._repeat else sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
        if not found:
            raise SourceError(wanted=f"pictures in {path}", found="none", advice=f"It may hold {', '.join(SUFFIXES)}.")
        self._paths = found
        self._still = read_picture(found[0]) if self._repeat else None
        self._pacer = Pacer(rate_hz)
        self._index = -1
        self._closed = False
        self.reconnected = 0

    def read(self) -> Frame | None:
        """The next picture, when it is due; None at the end."""
        self._index += 1
        if self._closed or (self._still is None and self._index >= len(self._paths)):
            return None
        bgr = self._still if self._still is not None else read_picture(self._paths[self._index])
        self._pacer.wait()
        return Frame(bgr, self._index, time.monotonic())

    def close(self) -> None:
        """End it."""
        self._closed = True

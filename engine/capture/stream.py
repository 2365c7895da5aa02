"""A network stream (RTSP, HTTP, ...) through PyAV: the newest frame, reconnecting with growing pauses."""

from __future__ import annotations

import time

import av
import numpy as np
from numpy.typing import NDArray

from engine.capture.video_file import open_container
from engine.errors import SourceError
from engine.live.frame import Frame

LOW_DELAY = {"fflags": "nobuffer", "flags": "low_delay", "rtsp_transport": "tcp", "analyzeduration": "500000"}
BACK_OFF_S = (0.5, 1.0, 2.0, 4.0)
DARK_PERIOD_S = 0.1


class NetworkStream:
    """Frames of a stream as they come; black ones while it is away."""

    def __init__(self, address: str) -> None:
        """Connect. SourceError when nothing answers."""
        self._address = address
        self._index = -1
        self._size = (480, 640)
        self._closed = False
        self._failures = 0
        self._try_again_s = 0.0
        self.reconnected = 0
        self._connect()

    def _connect(self) -> None:
        self._container = open_container(self._address, LOW_DELAY)
        self._pictures = self._container.decode(video=0)
        self._away = False

    def read(self) -> Frame | None:
        """The next frame; None after `close`."""
        if self._closed:
            return None
        bgr = None if self._away else self._decode()
        if bgr is None:
            self._retry()
            bgr = np.zeros((*self._size, 3), np.uint8)
            time.sleep(DARK_PERIOD_S)
        self._size = (bgr.shape[0], bgr.shape[1])
        self._index += 1
        return Frame(bgr, self._index, time.monotonic())

    def _decode(self) -> NDArray[np.uint8] | None:
        try:
            picture = next(self._pictures, None)
        except (av.FFmpegError, OSError):
            picture = None
        if picture is None:
            self._away, self._failures, self._try_again_s = True, 0, time.monotonic() + BACK_OFF_S[0]
            self._container.close()
            return None
        return np.ascontiguousarray(picture.to_ndarray(format="bgr24"))

    def _retry(self) -> None:
        if time.monotonic() < self._try_again_s:
            return
        try:
            self._connect()
            self.reconnected += 1
        except SourceError:
            self._failures += 1
            self._try_again_s = time.monotonic() + BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)]

    def close(self) -> None:
        """Disconnect after the read under way."""
        self._closed = True

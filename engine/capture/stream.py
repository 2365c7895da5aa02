"""A network stream (RTSP, HTTP, ...) through PyAV: live ones as they come, reconnecting; finite ones at their own pace, once."""

from __future__ import annotations

import time

import av
import numpy as np
from numpy.typing import NDArray

from engine.capture.back_off import DARK_PERIOD_S, BackOff
from engine.capture.video_file import open_container
from engine.errors import SourceError
from engine.live.frame import Frame

LOW_DELAY = {"fflags": "nobuffer", "flags": "low_delay", "rtsp_transport": "tcp", "analyzeduration": "500000"}


class NetworkStream:
    """Frames of a stream; black ones while a live one is away."""

    def __init__(self, address: str) -> None:
        """Connect. SourceError when nothing answers."""
        self._address = address
        self._index = -1
        self._size = (480, 640)
        self._away: BackOff | None = None
        self.reconnected = 0
        self._connect()
        self._finite = self._container.duration is not None
        self._began_s: float | None = None  # when the stream's time was 0

    def _connect(self) -> None:
        self._container = open_container(self._address, LOW_DELAY)
        self._pictures = self._container.decode(video=0)

    def read(self) -> Frame | None:
        """The next frame; None at the end of a finite stream. SourceError where that breaks."""
        bgr = self._decode() if self._away is None else None
        if bgr is None:
            if self._finite:
                return None
            bgr = self._black()
        self._size = (bgr.shape[0], bgr.shape[1])
        self._index += 1
        return Frame(bgr, self._index, time.monotonic())

    def _decode(self) -> NDArray[np.uint8] | None:
        """The next picture; None where the stream ended or a live one broke."""
        try:
            picture = next(self._pictures, None)
        except (av.FFmpegError, OSError) as error:
            if self._finite:
                raise SourceError(
                    wanted=f"all of {self._address}",
                    found=f"it breaks after {self._index + 1} frames: {error}",
                    advice="Try it again, or another copy of it.",
                ) from error
            picture = None
        if picture is None:
            return None
        if self._finite and picture.time is not None:
            now_s = time.monotonic()
            self._began_s = now_s - picture.time if self._began_s is None else self._began_s
            time.sleep(max(0.0, self._began_s + picture.time - now_s))
        return np.ascontiguousarray(picture.to_ndarray(format="bgr24"))

    def _black(self) -> NDArray[np.uint8]:
        now_s, away = time.monotonic(), self._away
        if away is None:
            self._away = BackOff(now_s)
            self._container.close()
        elif away.due(now_s):
            try:
                self._connect()
                self._away = None
                self.reconnected += 1
            except SourceError:
                away.failed(time.monotonic())
        time.sleep(DARK_PERIOD_S)
        return np.zeros((*self._size, 3), np.uint8)

    def close(self) -> None:
        """Disconnect."""
        self._container.close()

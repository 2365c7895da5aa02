"""Records to an MP4 file: H.264, each picture at the time at which its frame was captured.

Encoding runs in a thread of its own, so that the live outputs beside it don't wait. The file is written in fragments: it
is playable up to the last second, whatever ends the run.
"""

from __future__ import annotations

import queue
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from engine.errors import OutputError
from engine.live.frame import Frame

TIME_BASE = Fraction(1, 90_000)
WAITING = 8  # pictures that may wait for the encoder; later ones are left out and counted
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}


class VideoFileSink:
    """One recording."""

    wants_repeats = False

    def __init__(self, path: Path, rate_hz: float, *, quality: int = 20, wait: bool = False) -> None:
        """`quality`: x264's constant rate factor, smaller is better. `wait`: leave nothing out, for rendering offline."""
        self.left_out = 0
        self._path, self._rate_hz, self._quality, self._wait = path, rate_hz, quality, wait
        self._stream: VideoStream | None = None
        self._first_s: float | None = None
        self._last_tick = -1
        self._failure: OutputError | None = None
        try:
            path.open("ab").close()  # PyAV itself opens it only at the first picture
            self._container = av.open(str(path), "w", format="mp4", options=FRAGMENTED)
        except (OSError, av.FFmpegError) as error:
            raise self._cannot(error) from error
        self._queue: queue.Queue[Frame | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._encode_all, name="record", daemon=True)
        self._thread.start()

    def send(self, frame: Frame) -> None:
        """Queue one picture. OutputError when writing has failed."""
        if self._failure is not None:
            raise self._failure
        if self._wait:
            self._queue.put(frame)
            return
        try:
            self._queue.put_nowait(frame)
        except queue.Full:
            self.left_out += 1

    def close(self) -> None:
        """Finish the file."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _cannot(self, error: Exception) -> OutputError:
        return OutputError(
            wanted=f"to write the recording {self._path}",
            found=str(error),
            advice="Choose a folder that exists, can be written and has room; what was recorded so far can be played.",
        )

    def _encode_all(self) -> None:
        ended = False
        try:
            while (frame := self._queue.get()) is not None:
                self._encode(frame)
            ended = True
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))
            self._container.close()
        except Exception as error:  # whatever it was, the run must learn of it
            self._failure = self._cannot(error)
            while not ended and self._queue.get() is not None:  # let a waiting sender go on
                pass

    def _encode(self, frame: Frame) -> None:
        if self._stream is None:
            self._stream = self._add_stream(frame)
            self._first_s = frame.captured_s
        picture = av.VideoFrame.from_ndarray(_even(frame), format="bgr24")
        tick = round((frame.captured_s - (self._first_s or 0.0)) / TIME_BASE)
        self._last_tick = max(tick, self._last_tick + 1)
        picture.pts, picture.time_base = self._last_tick, TIME_BASE
        self._container.mux(self._stream.encode(picture))

    def _add_stream(self, frame: Frame) -> VideoStream:
        height, width = frame.bgr.shape[:2]
        stream = self._container.add_stream("libx264", rate=Fraction(self._rate_hz).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width // 2 * 2, height // 2 * 2, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": str(self._quality), "g": str(max(1, round(self._rate_hz)))}
        stream.codec_context.time_base = stream.time_base = TIME_BASE
        stream.codec_context.thread_count = 1
        return stream


def _even(frame: Frame) -> NDArray[np.uint8]:
    height, width = frame.bgr.shape[:2]
    return frame.bgr[: height // 2 * 2, : width // 2 * 2]

"""A video file through PyAV: as fast as it can be decoded, or at its own pace."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.container import InputContainer

from engine.errors import SourceError
from engine.live.frame import Frame

LEAD: Final = (
    0.25  # how long before a paced frame may be due it is decoded, of the time between two: while the loop rests
)


def open_container(address: str, options: dict[str, str] | None = None) -> InputContainer:
    """PyAV's container with at least one video stream. SourceError when there is none."""
    try:
        container = av.open(address, "r", options=options or {}, timeout=(5.0, 5.0) if "://" in address else None)
    except (OSError, av.FFmpegError, ValueError) as error:
        raise SourceError(
            wanted=f"a video at {address}",
            found=getattr(error, "strerror", None) or str(error),
            advice="Check the address; the file must be a video that FFmpeg reads.",
        ) from error
    if not container.streams.video:
        container.close()
        raise SourceError(
            wanted=f"a video at {address}", found="no video stream in it", advice="Give a file with pictures."
        )
    return container


class VideoFile:
    """Frames of a file with their time stamps, in order; for rendering offline and underneath `PacedVideo`."""

    def __init__(self, path: Path) -> None:
        """Open it. SourceError when it is missing, empty or not a video."""
        if not path.is_file() or path.stat().st_size == 0:
            found = "an empty file" if path.is_file() else "no such file"
            raise SourceError(wanted=f"a video at {path}", found=found, advice="Check the path.")
        self._path = path
        self._container = open_container(str(path))
        stream = self._container.streams.video[0]
        stream.thread_type = "SLICE"  # frame threads would hold several frames back
        self.damaged = False  # decoding stopped before the end
        self.rate_hz = float(stream.average_rate or stream.guessed_rate or 30)
        self.period_s = 1 / float(stream.base_rate or self.rate_hz)  # between the frames that follow each other soonest
        self.frames = stream.frames or None

    def __iter__(self) -> Iterator[Frame]:
        """All frames; `captured_s` is the time since the first one. What comes before damage is delivered."""
        first_s: float | None = None
        index = 0
        try:
            for picture in self._container.decode(video=0):
                at_s = float(picture.time) if picture.time is not None else index / self.rate_hz
                first_s = at_s if first_s is None else first_s
                yield Frame(np.ascontiguousarray(picture.to_ndarray(format="bgr24")), index, at_s - first_s)
                index += 1
        except av.FFmpegError as error:
            self.damaged = True
            if index == 0:
                raise SourceError(
                    wanted=f"pictures from {self._path}",
                    found=str(error),
                    advice="The file is damaged: try another one.",
                ) from error
        if index == 0:
            raise SourceError(
                wanted=f"pictures from {self._path}", found="none", advice="The file is damaged: try another one."
            )

    def close(self) -> None:
        """Free the file."""
        self._container.close()


class PacedVideo:
    """A file as if it were a camera: each frame when it is due, late ones too; optionally over and over."""

    def __init__(self, path: Path, *, loop: bool = False) -> None:
        """Open it; SourceError as for `VideoFile`."""
        self._path, self._loop = path, loop
        self.reconnected = 0
        self._video = VideoFile(path)
        self._frames = iter(self._video)
        self._index = -1
        self._began_s: float | None = None
        self._shift_s = 0.0
        self._last_s = 0.0

    def read(self) -> Frame | None:
        """The next frame, when it is due; None at the end. SourceError after what comes before damage."""
        self._wait_until(self._last_s + (1 - LEAD) * self._video.period_s)
        frame = self._next()
        if frame is None and self._video.damaged:
            raise SourceError(
                wanted=f"all of {self._path}",
                found=f"it is damaged after {self._index + 1} frames",
                advice="Use another copy of it.",
            )
        if frame is None:
            return None
        self._last_s = self._shift_s + frame.captured_s
        self._began_s = time.monotonic() - self._last_s if self._began_s is None else self._began_s
        self._wait_until(self._last_s)
        self._index += 1
        return Frame(frame.bgr, self._index, time.monotonic())

    def _wait_until(self, at_s: float) -> None:
        """Until the clip is that far; not before its first frame, from which it counts."""
        if self._began_s is not None:
            time.sleep(max(0.0, self._began_s + at_s - time.monotonic()))

    def _next(self) -> Frame | None:
        frame = next(self._frames, None)
        if frame is None and self._loop and not self._video.damaged:
            self._video.close()
            self._video = VideoFile(self._path)
            self._frames = iter(self._video)
            self._shift_s = self._last_s + 1 / self._video.rate_hz
            frame = next(self._frames, None)
        return frame

    def close(self) -> None:
        """Free the file."""
        self._video.close()

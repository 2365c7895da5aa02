"""From the word after --camera to a source."""

from __future__ import annotations

from pathlib import Path

from engine.capture.pictures import SUFFIXES, Pictures
from engine.capture.stream import NetworkStream
from engine.capture.synthetic import SyntheticCamera
from engine.capture.video_file import PacedVideo
from engine.capture.webcam import Webcam, WebcamFormat
from engine.live.pipeline import Source
from engine.shipped import shipped

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".ts", ".y4m", ".mjpeg")


def demo_clip() -> Path:
    """The shipped demo performance."""
    return shipped("demo.mp4")


def open_source(spec: str, wanted: WebcamFormat, rate_hz: float) -> Source:
    """Open `demo`, `synthetic:SCRIPT`, a URL, a file, a folder, or a camera by index, path or name.

    Raises SourceError with what was found instead.
    """
    if spec == "demo":
        return PacedVideo(demo_clip(), loop=True)
    if spec.startswith("synthetic:"):
        return SyntheticCamera(spec.partition(":")[2], [], rate_hz)
    if "://" in spec:
        return NetworkStream(spec)
    path = Path(spec)
    if spec.startswith("/dev/") or not (path.exists() or path.suffix.lower() in (*SUFFIXES, *VIDEO_SUFFIXES)):
        return Webcam(spec, wanted)
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        return Pictures(path, rate_hz)
    return PacedVideo(path)

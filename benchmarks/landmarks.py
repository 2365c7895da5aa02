"""The performer's landmarks outside of MediaPipe and by MediaPipe itself: how far apart they are, and what each takes.

From the same rectangle, MediaPipe's own of the frame before, and left alone, where each follows the rectangles of its own points.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from engine.capture.open import demo_clip
from engine.capture.video_file import VideoFile
from engine.face.landmarks import Points, inter_ocular
from engine.machine import describe
from engine.track.face_network import FaceNetwork
from engine.track.facemesh import FaceDetector, LandmarkTracker

Picture = NDArray[np.uint8]


def timed(find: Callable[[Picture], Points | None], frames: list[Picture]) -> tuple[list[Points | None], float]:
    """Landmarks of each frame, and the median time of one, ms."""
    found, times = [], []
    for frame in frames:
        begin_s = time.perf_counter()
        found.append(find(frame))
        times.append(1e3 * (time.perf_counter() - begin_s))
    return found, float(np.median(times))


def compare(path: Path, count: int) -> dict[str, float]:
    """Differences, px in the largest of the three coordinates, over so many frames of a clip; frames that one of both lost are
    counted."""
    frames = [frame.bgr for frame in islice(VideoFile(path), count)]
    mediapipe, detector = LandmarkTracker(), FaceDetector()
    network, led = FaceNetwork(detector), FaceNetwork(detector)
    theirs, their_ms = timed(mediapipe, frames)
    ours, our_ms = timed(network, frames)
    same = [None, *(led.follow(frame, before) for frame, before in zip(frames[1:], theirs, strict=False))]
    for each in (mediapipe, detector):
        each.close()
    alone, together = _apart(theirs, ours), _apart(theirs, same)
    return {
        "inter_ocular_px": float(np.mean([inter_ocular(p) for p in theirs if p is not None])),
        "same_rectangle_mean_px": float(together.mean()), "same_rectangle_max_px": float(together.max()),
        "alone_mean_px": float(alone.mean()), "alone_max_px": float(alone.max()),
        "lost_by_one": sum((a is None) != (b is None) for a, b in zip(theirs, ours, strict=True)),
        "mediapipe_ms": their_ms, "network_ms": our_ms,
    }  # fmt: skip


def _apart(a: list[Points | None], b: list[Points | None]) -> NDArray[np.float32]:
    pairs = [(p, q) for p, q in zip(a, b, strict=True) if p is not None and q is not None]
    return np.array([np.abs(p - q).max(1) for p, q in pairs])


def run(data: Path | None, count: int, console: Console) -> dict[str, Any]:
    """The demo clip, and the evaluation's where `data` has them."""
    paths = [demo_clip(), *(sorted((data / "eval" / "clips").glob("*.mp4")) if data is not None else [])]
    clips = {path.stem: compare(path, count) for path in paths}
    table = Table("clip", "same rectangle, px", "largest", "left alone, px", "largest", "MediaPipe, ms", "network, ms")
    for name, row in clips.items():
        values = [row[key] for key in row if key not in ("inter_ocular_px", "lost_by_one")]
        table.add_row(name, *(f"{value:.3f}" for value in values))
    console.print(table)
    machine = describe()
    console.print(f"on {machine['processor']}, {machine['cores']} cores")
    return {"machine": machine, "clips": clips}

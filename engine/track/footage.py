"""What a file shows before anybody needs it live: the performer's neutral face."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from engine.capture.video_file import VideoFile
from engine.face.calibration import WINDOW_S, Candidate, Neutral, most_relaxed
from engine.face.landmarks import Points
from engine.track.tracker import Tracker


def neutral_among(faces: list[Points]) -> Neutral:
    """The most relaxed of at least one face (478, 3) px of one person."""
    return most_relaxed([Candidate.of(face) for face in faces]).without_smile()


def neutral_of_clip(path: Path) -> Neutral | None:
    """The most relaxed face of the performer in a clip's first seconds; None where there is no face in them."""
    video, tracker = VideoFile(path), Tracker()
    try:
        first = islice(video, max(1, round(WINDOW_S * video.rate_hz)))
        faces = [found for frame in first if (found := tracker.find(frame)) is not None]
    finally:
        tracker.close()
        video.close()
    return neutral_among(faces) if faces else None

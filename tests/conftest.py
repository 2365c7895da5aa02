"""What several tests share: shipped puppets, pictures of people who do not exist, and a small tracked performance."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from faces import seen
from numpy.typing import NDArray

from engine.capture.open import demo_clip
from engine.capture.video_file import VideoFile
from engine.face import arkit
from engine.face.model import face_model
from engine.face.performance import HeadMotion, Performance
from engine.live.frame import Frame
from engine.output.video_file import VideoFileSink
from engine.puppet.consent import Consent
from engine.puppet.format import Puppet, load_puppet
from engine.puppet.make_clip import make_clip_puppet
from engine.puppet.shipped import shipped_folder
from engine.render.clip_view import ClipView
from engine.track.tracker import Tracked


def performance(
    shapes: dict[str, float] | None = None,
    angles: tuple[float, float, float] = (0.0, 0.0, 0.0),
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0),
    scale: float = 1.0,
) -> Performance:
    return Performance(
        HeadMotion(angles, np.array(shift, np.float32), scale), face_model().offsets(arkit.coefficients(shapes or {}))
    )


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keys, log, puppets and calibrations of the tests alone."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIMICAM_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def bruno() -> Puppet:
    return load_puppet(shipped_folder() / "bruno.puppet")


@pytest.fixture(scope="session")
def ada() -> Puppet:
    return load_puppet(shipped_folder() / "ada.puppet")


@pytest.fixture(scope="session")
def demo_frames() -> list[NDArray[np.uint8]]:
    """The first two seconds of the demo clip, at half size."""
    video = VideoFile(demo_clip())
    frames = [np.ascontiguousarray(frame.bgr[::2, ::2]) for frame in islice(video, 60)]
    video.close()
    return frames


def filmed(frames: list[NDArray[np.uint8]], path: Path) -> Puppet:
    """A puppet whose canvas is a clip of these frames of nobody, which is written to `path`."""
    sink = VideoFileSink(path, 30, wait=True)
    for index, picture in enumerate(frames):
        sink.send(Frame(picture, index, index / 30))
    sink.close()
    consent = Consent(kind="synthetic", who="nobody: a generated face", date=dt.date(2026, 11, 25), scope="tests")
    return make_clip_puppet(path, "dora", consent).puppet


@pytest.fixture(scope="session")
def clip_puppet(demo_frames: list[NDArray[np.uint8]], tmp_path_factory: pytest.TempPathFactory) -> Puppet:
    """The performer of the demo clip as a puppet whose canvas is that clip."""
    return filmed(demo_frames[:40], tmp_path_factory.mktemp("clip") / "dora.mp4")


@pytest.fixture(scope="session")
def dora(clip_puppet: Puppet) -> Tracked:
    """The performer of that clip, before a camera."""
    assert clip_puppet.clip is not None
    return seen(clip_puppet.clip.picture(20), clip_puppet.clip.analysis.landmarks_px[20])


@pytest.fixture(scope="module")
def clip_view(clip_puppet: Puppet) -> ClipView:
    """Mode `face2face` with it, at its own size."""
    assert clip_puppet.clip is not None
    height, width = clip_puppet.clip.picture(0).shape[:2]
    return ClipView(clip_puppet, width, height)


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "out.mp4"

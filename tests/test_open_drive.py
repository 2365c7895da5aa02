"""A drive is opened from its settings: camera, listeners and senders, hands, what is remembered of a performer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_gesture import UPRIGHT_DEG, hand, rolled

from engine.capture.synthetic import SyntheticCamera
from engine.capture.webcam import Webcam
from engine.config import RunConfig
from engine.drive import drive
from engine.drive.called import SHARE
from engine.drive.drive import open_drive
from engine.drive.triggers import PRESETS, Trigger, Triggers
from engine.errors import ConfigError, SourceError
from engine.face import arkit
from engine.face.calibration import Neutral
from engine.face.gesture import Gesture
from engine.face.performance import Performance
from engine.face.profile import Profile, load_profile, save_profile
from engine.live.frame import Frame


@pytest.mark.parametrize("camera", ["livelink", "livelink:0.0.0.0@127.0.0.1", "livelink@127.0.0.1"])
@pytest.mark.parametrize("send", ["livelink", "livelink:localhost"])
def test_what_is_sent_cannot_be_its_own_performer(camera: str, send: str) -> None:
    with pytest.raises(ConfigError, match="listens there"):
        open_drive(RunConfig(camera=camera, send=(send,)), Triggers([]))


def test_what_a_listener_would_not_take_may_be_sent_past_it() -> None:
    """To another port, or to a listener that hears somebody else alone."""
    for camera, send in (("livelink", "livelink:11112"), ("livelink:0.0.0.0@192.0.2.1", "livelink")):
        drive = open_drive(RunConfig(camera=camera, send=(send,)), Triggers([]))
        drive.performer.source.close()
        drive.close()


def test_without_camera_and_sound_keys_have_a_face_to_move(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        open_drive(RunConfig(camera="none", sound=str(tmp_path / "none.wav")), Triggers([]))
    triggers = Triggers([Trigger("smile", PRESETS["smile"], 0.0, 0.0)])
    drive = open_drive(RunConfig(camera="none", rate=240), triggers)
    for wanted in (False, True):
        frame = drive.performer.source.read()
        assert frame is not None
        shown = drive(frame).performance
        assert shown is not None
        assert shown.offsets.any() == wanted
        triggers.press("smile")
    drive.close()


class FilmedWebcam(Webcam):
    """A webcam that films the demo performer."""

    def __init__(self) -> None:
        self.reconnected = 0

    def close(self) -> None:
        """Nothing to free."""


def test_a_webcams_calibration_is_kept_and_used_again(
    tmp_path: Path, demo_frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMICAM_CALIBRATIONS", str(tmp_path))
    monkeypatch.setattr("engine.drive.drive.open_source", lambda spec, wanted, rate_hz: FilmedWebcam())
    told: list[str] = []

    def perform(config: RunConfig) -> Performance | None:
        drive = open_drive(config, Triggers([]), tell=told.append)
        shown = [drive(Frame(picture, i, i / 25)).performance for i, picture in enumerate(demo_frames)]
        drive.close()
        return shown[0]

    perform(RunConfig(camera="0", performer="dora", remember=False))
    assert not list(tmp_path.iterdir())
    perform(RunConfig(camera="0", performer="dora"))
    kept = tmp_path / "dora@0.calibration"
    profile = load_profile(kept)
    other = profile.neutral.shape.copy()
    other[10, 1] -= 0.004  # as a calibration anew would not find it; far less than another person is apart
    save_profile(
        Profile(Neutral(other, profile.neutral.pose), np.full(arkit.COUNT, 0.9, np.float32)), kept, "dora", "0"
    )
    again = perform(RunConfig(camera="0", performer="dora"))
    assert again is not None
    assert np.abs(load_profile(kept).neutral.shape - other).max() < 1e-6
    assert load_profile(kept).ranges[arkit.INDEX["tongueOut"]] == pytest.approx(0.9)  # which nobody put out
    assert not told
    kept.write_bytes(b"broken")
    perform(RunConfig(camera="0", performer="dora"))
    assert "calibrating anew" in told[0]
    assert np.abs(load_profile(kept).neutral.shape - profile.neutral.shape).max() < 1e-6


def test_a_camera_is_closed_when_what_comes_after_it_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    cameras: list[SyntheticCamera] = []

    def camera(*_: object) -> SyntheticCamera:
        cameras.append(SyntheticCamera("ok*9", []))
        return cameras[-1]

    def no_hands(_: int) -> None:
        raise ConfigError(wanted="hands", found="none", advice="")

    monkeypatch.setattr(drive, "open_source", camera)
    monkeypatch.setattr(drive, "HandFinder", no_hands)
    with pytest.raises(ConfigError, match="hands"):
        open_drive(RunConfig(camera="0", occlusion="hands", remember=False), Triggers([]))
    assert [camera.read() for camera in cameras] == [None]


def test_hands_that_are_seen_call_for_what_they_are_bound_to(
    demo_frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the picture's own pixels, though they are looked for in a smaller one."""
    points = (rolled(hand(Gesture.THUMBS_UP), UPRIGHT_DEG) * 60 + 100).astype(np.float32)

    class Hands:
        def __init__(self, most_hands: int) -> None: ...

        def __call__(self, bgr: np.ndarray) -> list[np.ndarray]:
            return [points]

        def close(self) -> None: ...

    monkeypatch.setattr("engine.drive.called.HandTracker", Hands)
    monkeypatch.setattr("engine.drive.drive.open_source", lambda *_: SyntheticCamera("ok", []))
    config = RunConfig(camera="0", remember=False, expressions={"hands": {"enabled": True}})
    triggers = config.expressions.triggers()
    drive = open_drive(config, triggers)
    shown = [drive(Frame(demo_frames[0], i, i / 30)) for i in range(15)][-1]
    drive.performer.source.close()
    drive.close()
    assert triggers.active == ("smile",)
    assert np.allclose(shown.hands[0], points / SHARE)

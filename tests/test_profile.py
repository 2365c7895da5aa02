"""Calibrations from one run to the next."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save
from test_face import landmarks_px

from engine.errors import ConfigError, OutputError
from engine.face import landmarks as lm
from engine.face.calibration import Calibration, Neutral, alike
from engine.face.model import face_model
from engine.face.profile import Profile, load_profile, profile_path, save_profile
from engine.face.reference import reference_face

PROFILE = Profile(Neutral.of(landmarks_px(angles=(4, -3, 2))), face_model().seen)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.calibration"
    save_profile(PROFILE, path, "me", "0")
    found = load_profile(path)
    assert np.array_equal(found.neutral.shape, PROFILE.neutral.shape)
    assert np.array_equal(found.neutral.pose.rotation, PROFILE.neutral.pose.rotation)
    assert np.array_equal(found.ranges, PROFILE.ranges)


@pytest.mark.parametrize(
    ("changes", "header", "found"),
    [
        ({"shape": np.nan}, {}, "its shape makes no sense"),
        ({"ranges": 1e6}, {}, "its ranges makes no sense"),
        ({"scale": 0.0}, {}, "its face has no size"),
        ({}, {"version": "2"}, "newer than this mimicam"),
        ({}, {"format": "a song"}, "another format"),
    ],
)
def test_what_makes_no_sense_is_refused(
    changes: dict[str, float], header: dict[str, str], found: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.calibration"
    save_profile(PROFILE, path, "me", "0")
    with safe_open(path, framework="numpy") as table:
        told = table.metadata() | header
        arrays = {name: table.get_tensor(name) for name in table.keys()}  # noqa: SIM118
    arrays |= {name: np.full_like(arrays[name], value) for name, value in changes.items()}
    path.write_bytes(save(arrays, told))
    with pytest.raises(ConfigError, match=found):
        load_profile(path)


@pytest.mark.parametrize("name", ["me@0", "../../etc/passwd@/dev/video0", "@", "ä b@c"])
def test_no_name_leads_out_of_the_folder(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIMICAM_CALIBRATIONS", str(tmp_path))
    performer, _, camera = name.partition("@")
    path = profile_path(performer, camera)
    assert path.resolve().parent == tmp_path.resolve()


def test_a_remembered_face_is_calibrated_from_its_first_frame_on() -> None:
    smiling = landmarks_px({"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5, "jawOpen": 0.2})
    relaxed = Neutral.of(landmarks_px())
    calibration = Calibration(remembered=relaxed)
    assert np.array_equal(calibration.update(smiling, 0.0).shape, relaxed.shape)
    for index in range(1, 200):
        neutral = calibration.update(smiling, index / 30)
    assert np.array_equal(neutral.shape, relaxed.shape)


def test_somebody_else_is_calibrated_anew() -> None:
    stranger = reference_face().mean + 2.5 * (face_model().identities[0] - face_model().identities[1])
    remembered = Neutral(stranger.astype(np.float32), PROFILE.neutral.pose)
    seen = landmarks_px()
    assert not alike(remembered.shape, Neutral.of(seen).shape)
    calibration = Calibration(remembered=remembered)
    neutral = calibration.update(seen, 0.0)
    assert np.abs(neutral.shape - Neutral.of(seen).shape).max() < 1e-5


def test_a_neutral_asked_for_wins_over_a_remembered_one() -> None:
    smiling = landmarks_px({"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5})
    calibration = Calibration(remembered=Neutral.of(landmarks_px()))
    calibration.update(smiling, 0.0)
    calibration.recapture()
    for index in range(1, 200):
        neutral = calibration.update(smiling, index / 30)
    wide = lm.distance(Neutral.of(smiling).shape, *lm.MOUTH_CORNERS)
    assert lm.distance(neutral.shape, *lm.MOUTH_CORNERS) == pytest.approx(wide, abs=0.01)


def test_a_smile_that_lasts_is_not_taken_for_the_face() -> None:
    smiling = landmarks_px({"mouthSmileLeft": 0.7, "mouthSmileRight": 0.7})
    calibration = Calibration()
    for index in range(200):
        neutral = calibration.update(smiling, index / 30)
    width = lm.distance(reference_face().mean, *lm.MOUTH_CORNERS)
    assert lm.distance(neutral.shape, *lm.MOUTH_CORNERS) == pytest.approx(width, abs=0.02)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="MIMICAM_CALIBRATIONS"):
        save_profile(PROFILE, tmp_path / "file" / "deep" / "a.calibration", "me", "0")


def test_a_remembered_open_mouth_gives_way_to_a_closed_one() -> None:
    calibration = Calibration(remembered=Neutral.of(landmarks_px({"jawOpen": 0.4})))
    for index in range(200):
        neutral = calibration.update(landmarks_px(), index / 30)
    assert lm.lip_gap(neutral.shape) < 0.02
    assert calibration.strangers == 0


def test_who_comes_back_is_no_stranger_and_who_takes_over_is() -> None:
    other = reference_face().mean + 5 * (face_model().identities[0] - face_model().identities[1])
    stranger_px = PROFILE.neutral.pose.apply(other.astype(np.float32))
    calibration = Calibration()
    for index in range(100):
        calibration.update(landmarks_px(), index / 30)
    calibration.performer_changed()
    for index in range(100, 200):
        calibration.update(landmarks_px(), index / 30)
    assert (calibration.strangers, calibration.changed) == (0, False)
    calibration.performer_changed()
    for index in range(200, 300):
        calibration.update(stranger_px, index / 30)
    assert (calibration.strangers, calibration.changed) == (1, True)


def test_who_comes_back_keeps_the_neutral_of_this_run() -> None:
    """Not that of an earlier one, and not what the mouth does at that moment."""
    today = landmarks_px({"mouthSmileLeft": 0.3, "mouthSmileRight": 0.3})
    calibration = Calibration(remembered=Neutral.of(landmarks_px({"browInnerUp": 0.3})))
    calibration.update(today, 0.0)
    calibration.recapture()
    for index in range(1, 200):
        asked_for = calibration.update(today, index / 30)
    calibration.performer_changed()
    for index in range(200, 400):
        neutral = calibration.update(landmarks_px({"jawOpen": 0.4}), index / 30)
    assert np.abs(neutral.shape - asked_for.shape).max() < 1e-5


def test_who_passes_by_does_not_take_the_neutral_of_who_performs() -> None:
    other = reference_face().mean + 5 * (face_model().identities[0] - face_model().identities[1])
    stranger_px = PROFILE.neutral.pose.apply(other.astype(np.float32))
    calibration = Calibration()
    for index in range(100):
        known = calibration.update(landmarks_px(), index / 30)
    calibration.performer_changed()
    for index in range(100, 106):  # seen for a moment
        calibration.update(stranger_px, index / 30)
    calibration.performer_changed()
    for index in range(106, 300):
        neutral = calibration.update(landmarks_px({"jawOpen": 0.4}), index / 30)
    assert calibration.strangers == 0
    assert np.abs(neutral.shape - known.shape).max() < 1e-5


def test_somebody_of_the_same_build_with_another_mouth_gets_a_neutral_of_their_own() -> None:
    calibration = Calibration()
    for index in range(100):
        calibration.update(landmarks_px(), index / 30)
    wider = landmarks_px().copy()
    middle = wider[lm.LIPS_OUTER].mean(0)
    lips = np.unique(np.concatenate([lm.LIPS_OUTER, lm.LIPS_INNER]))
    wider[lips, 0] = middle[0] + 1.3 * (wider[lips, 0] - middle[0])
    calibration.performer_changed()
    for index in range(100, 300):
        neutral = calibration.update(wider, index / 30)
    assert alike(neutral.shape, Neutral.of(landmarks_px()).shape)
    width = lm.distance(Neutral.of(wider).shape, *lm.MOUTH_CORNERS)
    assert lm.distance(neutral.shape, *lm.MOUTH_CORNERS) == pytest.approx(width, abs=0.03)

"""Pose, proportions, retargeting, calibration: geometry without pixels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from conftest import performance
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.face import arkit
from engine.face import landmarks as lm
from engine.face.calibration import HAND_OVER_S, WINDOW_S, Calibration, Candidate, Neutral, most_relaxed
from engine.face.model import face_model
from engine.face.own_expression import SMILES, close_lips, own_expression, take_off_smile
from engine.face.performance import Performance
from engine.face.pose import Pose, euler_from_rotation, fit_head, fit_similarity, rotation_from_euler
from engine.face.proportions import gains
from engine.face.reference import reference_face
from engine.face.retarget import LIMIT_SHIFT, LIMITS_DEG, PuppetFace
from engine.face.safety import EASE_S, HOLD_S, PuppetState, SafeMotion
from engine.face.similarity import similarity
from engine.puppet.format import Puppet

ANGLE = st.floats(-60, 60)
MEAN = reference_face().mean


def landmarks_px(actions: dict[str, float] | None = None, angles: tuple[float, float, float] = (0, 0, 0)) -> lm.Points:
    """The reference face in a 640 x 480 picture."""
    shape = MEAN + face_model().offsets(arkit.coefficients(actions or {}))
    return Pose(rotation_from_euler(*angles), np.array([320, 220, 0], np.float32), 90.0).apply(shape.astype(np.float32))


@given(ANGLE, ANGLE, ANGLE)
def test_euler_angles_come_back(yaw: float, pitch: float, roll: float) -> None:
    assert euler_from_rotation(rotation_from_euler(yaw, pitch, roll)) == pytest.approx((yaw, pitch, roll), abs=0.02)


def test_positive_angles_turn_the_nose_right_and_down() -> None:
    nose = np.array([0, 0, -1], np.float32)
    assert (rotation_from_euler(20, 0, 0) @ nose)[0] > 0.3
    assert (rotation_from_euler(0, 20, 0) @ nose)[1] > 0.3


@given(ANGLE, ANGLE, ANGLE, st.floats(5, 500), st.integers(0, 2**31))
def test_similarity_is_found_again(yaw: float, pitch: float, roll: float, scale: float, seed: int) -> None:
    points = np.random.default_rng(seed).normal(0, 1, (20, 3)).astype(np.float32)
    true = Pose(rotation_from_euler(yaw, pitch, roll), np.array([300, -20, 7], np.float32), scale)
    found = fit_similarity(points, true.apply(points))
    assert np.allclose(found.apply(points), true.apply(points), atol=1e-3 * scale)
    assert np.allclose(found.invert(true.apply(points)), points, atol=1e-3)


def umeyama(source: np.ndarray, target: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Umeyama, PAMI 1991, equations 38 to 43: by singular values."""
    w = weights / weights.sum()
    middle, aim = w @ source, w @ target
    u, singular, vt = np.linalg.svd(((target - aim) * w[:, None]).T @ (source - middle))
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * signs) @ vt
    scale = float(singular @ signs) / float(w @ ((source - middle) ** 2).sum(1))
    return rotation, aim - scale * rotation @ middle, scale


@given(ANGLE, ANGLE, ANGLE, st.floats(0, 0.3), st.booleans(), st.integers(0, 2**31))
def test_the_closed_form_is_umeyamas(
    yaw: float, pitch: float, roll: float, noise: float, mirrored: bool, seed: int
) -> None:
    """Of points that fit badly, too, and of a face in a mirror, which no rotation reaches."""
    random = np.random.default_rng(seed)
    source, weights = random.normal(0, (1.0, 0.8, 0.6), (30, 3)), random.uniform(0.1, 1, 30)
    target = (
        80 * source @ rotation_from_euler(yaw, pitch, roll).T + (300, -20, 7) + random.normal(0, 80 * noise, (30, 3))
    )
    if mirrored:
        target[:, 0] *= -1
    found, expected = similarity(source, target, weights), umeyama(source, target, weights)
    carried = [scale * source @ rotation.T + shift for rotation, shift, scale in (found, expected)]
    apart = [float(weights @ ((c - target) ** 2).sum(1)) for c in carried]
    assert apart[0] <= apart[1] * (1 + 1e-9) + 1e-9
    if not mirrored:  # there two rotations may be nearly as good
        assert np.abs(carried[0] - carried[1]).max() < 1e-6
    assert np.linalg.det(found[0]) == pytest.approx(1)


def test_head_pose_ignores_a_hand_over_the_temple() -> None:
    seen = landmarks_px(angles=(10, 5, 0))
    covered = seen.copy()
    covered[[127, 234, 93, 162]] += (40, 10, -20)
    turned = euler_from_rotation(fit_head(MEAN, covered).rotation)
    assert turned == pytest.approx((10, 5, 0), abs=1.5)


def test_gains_of_a_face_to_itself_are_one() -> None:
    assert np.allclose(gains(MEAN, MEAN), 1, atol=1e-5)


def test_shut_lids_shut_the_puppets_whatever_its_eyes(bruno: Puppet, ada: Puppet) -> None:
    for puppet in (bruno, ada):
        face = PuppetFace(puppet.references[0].landmarks_px)
        target = face.retarget(performance({"eyeBlinkLeft": 0.93, "eyeBlinkRight": 0.93}))
        assert max(lm.lid_openings(target.landmarks_px)) < 0.02
        opened = face.retarget(performance({"eyeBlinkLeft": -1.1, "eyeBlinkRight": -1.1}))
        assert max(lm.lid_openings(opened.landmarks_px)) < 1.7 * max(lm.lid_openings(face.landmarks_px))


def test_closed_lips_stay_closed_and_open_ones_open(bruno: Puppet) -> None:
    face = PuppetFace(bruno.references[0].landmarks_px)
    assert lm.lip_gap(face.retarget(Performance.neutral()).landmarks_px) < 0.5
    gaps = [lm.lip_gap(face.retarget(performance({"jawOpen": a})).landmarks_px) for a in (0.1, 0.25, 0.5, 0.7)]
    assert all(b > a for a, b in pairwise(gaps))


@given(st.dictionaries(st.sampled_from(arkit.NAMES), st.floats(0, 1), max_size=4))
@settings(max_examples=40, deadline=None)
def test_lips_and_lids_never_cross(actions: dict[str, float]) -> None:
    face = PuppetFace(landmarks_px())
    shape = face.pose.invert(face.retarget(performance(actions)).landmarks_px)
    assert (shape[lm.LIP_PAIRS[:, 1], 1] - shape[lm.LIP_PAIRS[:, 0], 1]).min() > -1e-3
    for pairs in (lm.LID_PAIRS_LEFT, lm.LID_PAIRS_RIGHT):
        assert (shape[pairs[2:5, 1], 1] - shape[pairs[2:5, 0], 1]).mean() > -0.02


@given(ANGLE, ANGLE, ANGLE, st.floats(-3, 3), st.floats(0.3, 4))
@settings(max_examples=60, deadline=None)
def test_head_motion_stays_within_limits(yaw: float, pitch: float, roll: float, shift: float, scale: float) -> None:
    face = PuppetFace(landmarks_px())
    target = face.retarget(performance({}, (yaw, pitch, roll), (shift, 0, 0), scale))
    angles = euler_from_rotation(target.pose.rotation)
    assert all(abs(a) <= limit + 0.5 for a, limit in zip(angles, LIMITS_DEG, strict=True))
    assert abs(target.pose.translation[0] - face.pose.translation[0]) <= LIMIT_SHIFT * face.pose.scale + 1e-3
    if max(abs(yaw) / 38, abs(pitch) / 26, abs(roll) / 40) < 0.65:
        assert angles == pytest.approx((yaw, pitch, roll), abs=0.5)


def test_own_open_mouth_is_taken_off_the_portrait() -> None:
    smiling = MEAN + face_model().offsets(arkit.coefficients({"jawOpen": 0.46}))
    assert lm.lip_gap(smiling) > 0.1
    assert lm.lip_gap(close_lips(smiling.astype(np.float32))) < 1e-5


def own_smile(shape: lm.Points) -> float:
    return float(own_expression(shape)[SMILES].mean())


def test_own_smile_is_measured_and_taken_off() -> None:
    shown = arkit.coefficients({"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "jawOpen": 0.1})
    smiling = (MEAN + face_model().offsets(shown)).astype(np.float32)
    assert own_smile(smiling) == pytest.approx(0.8, abs=0.1)
    assert own_smile(take_off_smile(smiling)) < 0.1
    assert np.array_equal(take_off_smile(MEAN), MEAN)


@given(st.lists(st.floats(-1, 1), min_size=5, max_size=5))
@settings(max_examples=30, deadline=None)
def test_a_face_at_rest_is_not_taken_for_a_smile(build: list[float]) -> None:
    """Identities alone: people have wide and narrow mouths."""
    shape = MEAN + np.tensordot(np.array(build, np.float32), face_model().identities[:5], 1)
    assert own_smile(shape.astype(np.float32)) < 0.1


def test_the_first_face_is_neutral_at_once() -> None:
    seen = landmarks_px({"mouthSmileLeft": 0.58, "mouthSmileRight": 0.58}, (8, 3, 0))
    neutral = Calibration().update(seen, 5.0)
    pose = fit_head(neutral.shape, seen)
    found = neutral.performance(pose, pose.invert(seen))
    assert np.abs(found.offsets).max() < 0.02
    assert np.abs(found.head.angles_deg).max() < 1.0


def test_neutral_is_the_relaxed_frontal_face() -> None:
    restless = [landmarks_px({"jawOpen": 0.46}, (15, 5, 0)) for _ in range(30)]
    relaxed = [landmarks_px() for _ in range(8)]
    neutral = most_relaxed([Candidate.of(x) for x in [*restless, *relaxed]])
    assert lm.lip_gap(neutral.shape) < 0.01
    assert np.abs(euler_from_rotation(neutral.pose.rotation)).max() < 1.0


def test_a_better_neutral_takes_over_smoothly_and_settles() -> None:
    calibration = Calibration()
    steps, last = [], None
    for index in range(200):
        seen = landmarks_px({"jawOpen": 0.58} if index < 20 else {})
        neutral = calibration.update(seen, index / 30)
        if last is not None:
            steps.append(float(np.abs(neutral.shape - last).max()))
        last = neutral.shape
    assert calibration.settled
    assert calibration.update(landmarks_px(), 7.0) is calibration.update(landmarks_px(), 7.1)  # it has arrived
    assert max(steps) < 0.25 * 2 / 30 / HAND_OVER_S * 1.5
    assert lm.lip_gap(last) < 0.02
    assert WINDOW_S < 200 / 30


def test_recapture_takes_the_face_of_that_moment() -> None:
    calibration = Calibration(Neutral.of(landmarks_px()))
    calibration.update(landmarks_px({"mouthSmileLeft": 0.58, "mouthSmileRight": 0.58}), 0.0)
    calibration.recapture()
    for index in range(150):
        neutral = calibration.update(landmarks_px({"mouthSmileLeft": 0.58, "mouthSmileRight": 0.58}), 1 + index / 30)
    assert lm.distance(neutral.shape, *lm.MOUTH_CORNERS) > lm.distance(MEAN, *lm.MOUTH_CORNERS) + 0.02


def test_loss_holds_then_eases_then_stands_still() -> None:
    motion = SafeMotion()
    smile = performance({"mouthSmileLeft": 0.58, "mouthSmileRight": 0.58}, (20, 0, 0))
    assert motion(smile, 0.0) == (smile, PuppetState.LIVE)
    seen = [motion(None, t / 30) for t in range(1, 90)]
    states = [state for _, state in seen]
    assert states[0] is PuppetState.HELD
    assert [s for i, s in enumerate(states) if i == 0 or s is not states[i - 1]] == [
        PuppetState.HELD,
        PuppetState.EASING,
        PuppetState.STILL,
    ]
    yaw = [shown.head.angles_deg[0] for shown, _ in seen]
    assert all(b <= a + 1e-6 for a, b in pairwise(yaw))
    assert yaw[-1] == pytest.approx(0)
    assert states.index(PuppetState.STILL) / 30 == pytest.approx(HOLD_S + EASE_S, abs=0.1)


def test_a_performer_who_was_never_seen_leaves_the_puppet_at_rest() -> None:
    shown, state = SafeMotion()(None, 3.0)
    assert state is PuppetState.STILL
    assert not shown.offsets.any()


def test_return_after_loss_blends_in() -> None:
    motion = SafeMotion()
    turned = performance({}, (20, 0, 0))
    motion(turned, 0.0)
    for t in range(1, 90):
        motion(None, t / 30)
    yaw = [motion(turned, 3 + t / 30)[0].head.angles_deg[0] for t in range(15)]
    assert yaw[0] < 5
    assert max(abs(b - a) for a, b in pairwise(yaw)) < 6
    assert yaw[-1] == pytest.approx(20)

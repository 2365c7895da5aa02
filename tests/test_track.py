"""The tracker on pictures of people who do not exist."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.live.frame import Frame
from engine.puppet.format import Puppet
from engine.track.lock import GIVE_UP_S, PerformerLock, Place
from engine.track.one_euro import OneEuro
from engine.track.tracker import Tracked, Tracker

Picture = NDArray[np.uint8]


def track(frames: list[Picture], rate_hz: float = 30.0) -> list[Tracked]:
    tracker = Tracker()
    found = [tracker(Frame(picture, index, index / rate_hz)) for index, picture in enumerate(frames)]
    tracker.close()
    return found


def test_demo_performer_is_followed(demo_frames: list[Picture]) -> None:
    found = track(demo_frames)
    assert not any(t.lost for t in found)
    gaps = [lm.lip_gap(t.performance.offsets + 0) for t in found if t.performance]
    assert max(gaps) > 0.05  # the performer opens the mouth in the second second


def test_first_performance_is_neutral(demo_frames: list[Picture]) -> None:
    first = track(demo_frames[:1])[0]
    assert first.performance is not None
    assert np.abs(first.performance.offsets).max() < 0.03
    assert np.abs(first.performance.head.angles_deg).max() < 1.0


def test_darkness_is_lost_and_light_finds_again(demo_frames: list[Picture]) -> None:
    dark = [np.zeros_like(demo_frames[0])] * 5
    found = track([*demo_frames[:5], *dark, *demo_frames[5:10]])
    assert [t.lost for t in found] == [False] * 5 + [True] * 5 + [False] * 5
    assert all(t.landmarks_px is None for t in found if t.lost)


def with_bystander(frame: Picture, face: Picture, left: int) -> Picture:
    """`face` beside the performer, its left edge at `left`."""
    result = frame.copy()
    height, width = face.shape[:2]
    x0, x1 = max(left, 0), min(left + width, frame.shape[1])
    if x1 > x0:
        result[-height:, x0:x1] = face[:, x0 - left : x1 - left]
    return result


def face_of(puppet: Puppet, side: int) -> Picture:
    return np.asarray(cv2.resize(puppet.references[0].picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def test_a_second_face_walking_by_does_not_take_over(demo_frames: list[Picture], ada: Puppet) -> None:
    """Somebody walks by on the left and on the right of the performer, never in front."""
    bystander = face_of(ada, 200)
    lefts = [*range(-190, -20, 12), *range(440, 640, 12)]
    frames = [with_bystander(demo_frames[i], bystander, left) for i, left in enumerate(lefts)]
    for t in track(frames):
        assert t.landmarks_px is not None
        assert 200 < t.landmarks_px[:, 0].mean() < 440


def test_a_second_face_is_not_taken_while_the_performer_is_covered(demo_frames: list[Picture], ada: Puppet) -> None:
    """For a moment there is nobody but the bystander to be found."""
    alone, beside = demo_frames[:2], [with_bystander(f, face_of(ada, 200), 440) for f in demo_frames[2:14]]
    frames = [*alone, *beside]
    for frame in frames[5:9]:
        frame[:, 160:440] = 90
    found = track(frames)
    assert all(t.lost for t in found[5:9])
    assert all(t.landmarks_px is not None and 200 < t.landmarks_px[:, 0].mean() < 440 for t in found[9:])


def test_a_bystander_does_not_step_in_for_a_performer_who_left(demo_frames: list[Picture], ada: Puppet) -> None:
    empty = np.full_like(demo_frames[0], 90)
    bystander = with_bystander(empty, face_of(ada, 200), 10)
    rate_hz = 5.0
    patient = int(GIVE_UP_S * rate_hz)
    found = track([demo_frames[0]] * 3 + [bystander] * (patient + 6), rate_hz)
    assert all(t.lost for t in found[3 : 3 + patient - 1])
    assert not found[-1].lost  # after a while, whoever is there may


@given(st.floats(-2000, 2000), st.floats(-2000, 2000), st.floats(0.05, 20))
def test_a_jump_is_somebody_else(dx: float, dy: float, zoom: float) -> None:
    lock = PerformerLock()
    assert lock.follow(Place(500, 400, 200), 0.0)
    followed = lock.follow(Place(500 + dx, 400 + dy, 200 * zoom), 1 / 30)
    near = np.hypot(dx, dy) < 0.6 * 200
    assert followed == (near or np.hypot(dx, dy) < (0.6 + 0.8 / 30) * 200) & (1 / 1.5 < zoom < 1.5)


def test_who_takes_over_is_calibrated_anew(demo_frames: list[Picture], ada: Puppet) -> None:
    tracker = Tracker()
    empty = np.full_like(demo_frames[0], 90)
    bystander = with_bystander(empty, face_of(ada, 300), 10)
    for index in range(20):
        tracker(Frame(demo_frames[0], index, index / 5))
    assert tracker.calibration.settled
    tracker(Frame(bystander, 20, 20 / 5 + GIVE_UP_S + 1))
    assert not tracker.calibration.settled
    tracker.close()


def test_one_euro_forgets() -> None:
    one_euro = OneEuro(1.0, 5.0)
    for index in range(5):
        one_euro(np.full((1, 1), 10.0 * index, np.float32), index / 30)
    one_euro.reset()
    fresh = OneEuro(1.0, 5.0)
    for index in range(5):
        value = np.array([[0.1 * index]], np.float32)
        assert one_euro(value, 1 + index / 30) == pytest.approx(fresh(value, 1 + index / 30))


def test_one_euro_follows_a_step_and_calms_noise() -> None:
    random = np.random.default_rng(0)
    still = OneEuro(2.0, 30.0)
    noisy = [random.normal(0, 0.002, (1, 3)).astype(np.float32) for _ in range(300)]
    calm = [still(value, i / 30) for i, value in enumerate(noisy)]
    assert np.std(calm[50:]) < 0.7 * np.std(noisy[50:])
    quick = OneEuro(2.0, 30.0)
    quick(np.zeros((1, 3), np.float32), 0.0)
    for i in range(1, 10):
        quick(np.zeros((1, 3), np.float32), i / 30)
    blink = [float(quick(np.full((1, 3), 0.1, np.float32), (10 + i) / 30)[0, 0]) for i in range(2)]
    assert blink[1] > 0.09  # within one frame of delay


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30))
def test_one_euro_stays_between_what_it_was_given(values: list[float]) -> None:
    one_euro = OneEuro(2.0, 1.0)
    for index, value in enumerate(values):
        out = float(one_euro(np.array([[value]], np.float32), index / 30)[0, 0])
        seen = values[: index + 1]
        assert min(seen) - 1e-4 <= out <= max(seen) + 1e-4


@pytest.mark.parametrize("rate_hz", [15.0, 60.0])
def test_repeated_time_stamps_do_no_harm(rate_hz: float) -> None:
    one_euro = OneEuro(2.0, 1.0)
    for time_s in (0.0, 0.0, 1 / rate_hz, 1 / rate_hz):
        assert np.isfinite(one_euro(np.ones((2, 3), np.float32), time_s)).all()

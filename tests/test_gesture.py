"""Gestures of hands that are built from joint angles, and the hand tracker on drawn ones."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.face.gesture import (
    BEGIN_S,
    END_S,
    Gesture,
    GestureFilter,
    HandPoints,
    finger_bends_deg,
    first_gesture,
    gesture,
)
from engine.face.pose import rotation_from_euler
from engine.track.hands import HandTracker

Bends = tuple[float, float, float]  # of a finger's three joints, degrees

KNUCKLES = np.array(
    [[0.25, -0.95, 0], [0.03, -1, 0], [-0.18, -0.93, 0], [-0.37, -0.82, 0]]
)  # palms; the thumb is at +x
BONES = (0.45, 0.28, 0.2)
THUMB_OUT, THUMB_IN = (60.0, 65.0, 70.0), (20.0, -20.0, -60.0)  # bones from the fingers' direction, degrees
UPRIGHT_DEG = -67.5  # turns a hand so that its stretched thumb points up

STRETCHED, CURLED = (5.0, 8.0, 5.0), (75.0, 95.0, 50.0)
SHAPES: dict[Gesture, tuple[list[bool], tuple[float, ...]]] = {  # which fingers are stretched, and the thumb
    Gesture.OPEN_PALM: ([True, True, True, True], THUMB_OUT),
    Gesture.FIST: ([False, False, False, False], THUMB_IN),
    Gesture.THUMBS_UP: ([False, False, False, False], THUMB_OUT),
    Gesture.VICTORY: ([True, True, False, False], THUMB_IN),
    Gesture.POINT: ([True, False, False, False], THUMB_IN),
}
TURNABLE = [shown for shown in SHAPES if shown is not Gesture.THUMBS_UP]
JITTER_DEG = st.lists(st.floats(-6, 6), min_size=12, max_size=12)
TURN_DEG = st.floats(-180, 180)


def finger(knuckle: NDArray[np.float64], bends_deg: Bends) -> list[NDArray[np.float64]]:
    """A finger that goes on in the direction from the wrist, bent towards -z, the palm's side."""
    ahead, point, turned, points = knuckle / np.linalg.norm(knuckle), knuckle, 0.0, [knuckle]
    for bend_deg, length in zip(bends_deg, BONES, strict=True):
        turned += np.radians(bend_deg)
        point = point + length * (np.cos(turned) * ahead + np.sin(turned) * np.array([0, 0, -1]))
        points.append(point)
    return points


def thumb(directions_deg: tuple[float, ...]) -> list[NDArray[np.float64]]:
    points = [np.array([0.21, -0.18, -0.05])]
    for degrees, length in zip(directions_deg, (0.35, 0.3, 0.25), strict=True):
        a = np.radians(degrees)
        points.append(points[-1] + length * np.array([np.sin(a), -np.cos(a), -0.1]))
    return points


def skeleton(fingers: list[Bends], thumb_deg: tuple[float, ...]) -> HandPoints:
    """A right hand (21, 3) with its palm to the camera, fingers up, one palm large."""
    points = [np.zeros(3), *thumb(thumb_deg)]
    for knuckle, bends_deg in zip(KNUCKLES, fingers, strict=True):
        points += finger(knuckle, bends_deg)
    return np.array(points, np.float32)


def hand(shown: Gesture, jitter_deg: list[float] | None = None) -> HandPoints:
    stretched, thumb_deg = SHAPES[shown]
    jitter = np.reshape(jitter_deg or [0.0] * 12, (4, 3))
    bends = [np.array(STRETCHED if is_stretched else CURLED) for is_stretched in stretched]
    return skeleton([tuple(b + j) for b, j in zip(bends, jitter, strict=True)], thumb_deg)


def turned(points: HandPoints, yaw_deg: float, pitch_deg: float, roll_deg: float) -> HandPoints:
    return (points @ rotation_from_euler(yaw_deg, pitch_deg, roll_deg).T).astype(np.float32)


def rolled(points: HandPoints, degrees: float) -> HandPoints:
    """Turned in the picture, clockwise."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return (points @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T).astype(np.float32)


def mirrored(points: HandPoints) -> HandPoints:
    return points * np.array([-1, 1, 1], np.float32)


@given(st.sampled_from(TURNABLE), JITTER_DEG, TURN_DEG, TURN_DEG, TURN_DEG, st.booleans())
def test_most_gestures_are_the_same_from_everywhere(
    shown: Gesture, jitter: list[float], yaw: float, pitch: float, roll: float, other_hand: bool
) -> None:
    seen = turned(hand(shown, jitter), yaw, pitch, roll)
    assert gesture(mirrored(seen) if other_hand else seen) is shown


@given(st.sampled_from(sorted(SHAPES)), st.floats(-30, 30), st.floats(20, 900), st.floats(-2000, 2000), st.booleans())
def test_size_place_and_side_do_not_count(
    shown: Gesture, roll: float, size_px: float, shift_px: float, other_hand: bool
) -> None:
    seen = rolled(hand(shown), UPRIGHT_DEG + roll)
    seen = mirrored(seen) if other_hand else seen
    assert gesture(seen * np.float32(size_px) + np.float32(shift_px)) is shown


@given(TURN_DEG)
def test_a_thumb_counts_where_it_points_up(roll: float) -> None:
    seen = gesture(rolled(hand(Gesture.THUMBS_UP), UPRIGHT_DEG + roll))
    if abs(roll) < 45:
        assert seen is Gesture.THUMBS_UP
    elif abs(roll) > 55:
        assert seen is Gesture.NONE


@given(st.integers(0, 2**31), TURN_DEG, TURN_DEG, TURN_DEG, st.floats(0.1, 1000), st.booleans())
def test_bends_belong_to_the_hand_alone(
    seed: int, yaw: float, pitch: float, roll: float, size: float, other_hand: bool
) -> None:
    points = np.random.default_rng(seed).normal(0, 1, (21, 3)).astype(np.float32)
    seen = turned(mirrored(points) if other_hand else points, yaw, pitch, roll) * np.float32(size)
    assert finger_bends_deg(seen) == pytest.approx(finger_bends_deg(points), abs=0.5)  # float32 near 0 and 180 degrees


@given(st.floats(0, 20), st.floats(90, 300))
def test_a_bend_is_the_sum_of_its_joints(small: float, large: float) -> None:
    straight, curled = (small / 3,) * 3, (large / 3,) * 3
    bends = finger_bends_deg(skeleton([straight, curled, straight, curled], THUMB_IN))
    assert bends[1:] == pytest.approx([small, large, small, large], abs=0.5)


def test_half_bent_fingers_and_nonsense_are_nothing() -> None:
    half = (30.0, 40.0, 20.0)
    assert gesture(skeleton([half] * 4, THUMB_OUT)) is Gesture.NONE
    assert gesture(skeleton([STRETCHED, CURLED, CURLED, STRETCHED], THUMB_IN)) is Gesture.NONE
    assert gesture(np.zeros((21, 3), np.float32)) is Gesture.NONE
    assert gesture(np.full((21, 3), np.nan, np.float32)) is Gesture.NONE


def test_two_fingers_side_by_side_are_no_victory() -> None:
    seen = hand(Gesture.VICTORY)
    seen[6:9] = seen[5] + (seen[10:13] - seen[9])  # the index finger along the middle one
    assert gesture(seen) is Gesture.NONE


def test_the_first_hand_that_shows_something_counts() -> None:
    nothing, fist, point = np.zeros((21, 3), np.float32), hand(Gesture.FIST), hand(Gesture.POINT)
    assert first_gesture([nothing, fist, point]) is Gesture.FIST
    assert first_gesture([nothing]) is first_gesture([]) is Gesture.NONE


def filtered(seen: list[Gesture], step_s: float = 1 / 30) -> list[Gesture]:
    steady = GestureFilter()
    return [steady(shown, index * step_s) for index, shown in enumerate(seen)]


def test_a_gesture_counts_after_a_while_and_ends_after_another() -> None:
    counted = filtered([Gesture.FIST] * 15 + [Gesture.NONE] * 15)
    assert counted.index(Gesture.FIST) / 30 == pytest.approx(BEGIN_S, abs=1 / 30)
    assert (counted.count(Gesture.FIST) + counted.index(Gesture.FIST) - 15) / 30 == pytest.approx(END_S, abs=1 / 30)


def test_flicker_neither_begins_nor_ends_a_gesture() -> None:
    short, gap = [Gesture.FIST] * 4 + [Gesture.NONE], [Gesture.FIST] + [Gesture.NONE] * 7
    assert set(filtered(short * 10)) == {Gesture.NONE}
    assert set(filtered([Gesture.FIST] * 8 + gap * 5)[6:]) == {Gesture.FIST}


def test_one_gesture_follows_another_without_a_gap() -> None:
    counted = filtered([Gesture.FIST] * 10 + [Gesture.POINT] * 10)
    assert [b for a, b in pairwise(counted) if a is not b] == [Gesture.FIST, Gesture.POINT]


def test_what_was_seen_before_a_long_silence_does_not_count() -> None:
    steady = GestureFilter()
    for time_s in (0.0, 5.0, 5.1):
        assert steady(Gesture.FIST, time_s) is Gesture.NONE
    assert steady(Gesture.FIST, 5.2) is Gesture.FIST
    assert steady(Gesture.NONE, 9.0) is Gesture.NONE


@given(st.lists(st.tuples(st.sampled_from([*Gesture]), st.floats(0, 0.4)), max_size=60))
@settings(max_examples=200)
def test_only_what_was_seen_lately_and_long_enough_counts(steps: list[tuple[Gesture, float]]) -> None:
    steady, now_s = GestureFilter(), 0.0
    since_s, last_s, before = 0.0, dict.fromkeys(Gesture, -1.0), Gesture.NONE
    for index, (seen, step_s) in enumerate(steps):
        now_s += step_s
        since_s = since_s if index and seen is steps[index - 1][0] else now_s
        last_s[seen] = now_s
        counted = steady(seen, now_s)
        if counted is not Gesture.NONE:
            assert now_s - last_s[counted] < END_S
        if counted not in (Gesture.NONE, before):
            assert counted is seen
            assert now_s - since_s >= BEGIN_S
        before = counted


def drawn(points: HandPoints, centre: tuple[int, int], size_px: float, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A hand of sausages and a slab on grey, (height_px, width_px, 3)."""
    picture = np.full((*shape, 3), 90, np.uint8)
    at = [(int(x * size_px + centre[0]), int(y * size_px + centre[1])) for x, y, _ in points]
    slab = np.array([at[i] for i in (0, 1, 2, 5, 9, 13, 17)], np.int32)
    skin, thick = (140, 170, 220), int(0.2 * size_px)
    cv2.fillConvexPoly(picture, cv2.convexHull(slab), skin, cv2.LINE_AA)
    for first in range(1, 21, 4):
        for a, b in pairwise([0, *range(first, first + 4)]):
            cv2.line(picture, at[a], at[b], skin, thick, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 2), np.uint8)


def test_an_open_hand_is_found_where_it_is() -> None:
    right = hand(Gesture.OPEN_PALM)
    for seen in (right, mirrored(right)):
        tracker = HandTracker()
        found = tracker(drawn(seen, (320, 280), 100, (360, 640)))
        assert [gesture(points_px) for points_px in found] == [Gesture.OPEN_PALM]
        middle_px = found[0][:, :2].mean(axis=0)
        assert middle_px == pytest.approx(seen[:, :2].mean(axis=0) * 100 + (320, 280), abs=20)
        tracker.close()


def test_one_hand_or_two() -> None:
    right = hand(Gesture.OPEN_PALM)
    picture = np.hstack([drawn(p, (320, 280), 100, (360, 640)) for p in (right, mirrored(right))])
    for most_hands in (1, 2):
        tracker = HandTracker(2 if most_hands == 2 else 1)
        assert len(tracker(picture)) == most_hands
        tracker.close()


def test_a_face_is_no_hand(demo_frames: list[NDArray[np.uint8]]) -> None:
    tracker = HandTracker(2)
    assert not any(tracker(picture) for picture in [*demo_frames[::10], np.zeros_like(demo_frames[0])])
    tracker.close()

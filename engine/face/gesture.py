"""From a hand's 21 landmarks to a gesture: which fingers are stretched, and where the thumb points. Geometry without pixels.

The landmarks are those of Zhang et al., MediaPipe Hands (2020): the wrist, then four for each finger from root to tip, thumb
first. Only angles at the joints and ratios of lengths count, so that a hand's size, place and side do not; nor does its turn in
the picture, save for the thumb that must point up. The limits lie between what MediaPipe saw in nine tenths of 54 views of a
drawn hand (a trial that no command repeats): stretched fingers bend by 12 to 62 degrees in all, curled ones by 158 to 259; the
tip of a thumb that stands out is 0.5 to 1.4 palms from the nearest knuckle, that of a fist's 0.17 to 0.35; the fingers of a
narrow V are 14 to 24 degrees apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

HandPoints = NDArray[np.float32]  # (21, 3) px, x right, y down, z away in the scale of x

WRIST, MIDDLE_KNUCKLE = 0, 9
THUMB_ROOT, THUMB_TIP = 2, 4
FINGERS: Final = np.array(
    [[0, 1, 2, 3, 4], [0, 5, 6, 7, 8], [0, 9, 10, 11, 12], [0, 13, 14, 15, 16], [0, 17, 18, 19, 20]]
)
KNUCKLES: Final = np.array([5, 6, 9, 10])  # first and second of index and middle finger: where a fist's thumb lies

STRETCHED_DEG, CURLED_DEG = 70.0, 120.0  # sum of a finger's three bends; between the two it is neither
STRAIGHT_THUMB_DEG = 75.0  # a thumb's root is bent even where it is stretched
THUMB_OUT, THUMB_IN = 0.6, 0.5  # thumb tip to the nearest of KNUCKLES, palms
UP_DEG = 50.0  # how far from upright a thumb may point
SPREAD_DEG = 10.0  # between the two fingers of a V

BEGIN_S = 0.15
END_S = 0.3


class Gesture(StrEnum):
    """What a hand shows."""

    NONE = "none"
    THUMBS_UP = "thumbs_up"
    OPEN_PALM = "open_palm"
    FIST = "fist"
    VICTORY = "victory"
    POINT = "point"


def gesture(hand: HandPoints) -> Gesture:
    """What a hand (21, 3) shows; NONE where it is nothing in particular."""
    palm = float(np.linalg.norm(hand[MIDDLE_KNUCKLE] - hand[WRIST]))
    if not np.isfinite(hand).all() or palm < 1e-6:
        return Gesture.NONE
    bends = finger_bends_deg(hand)
    thumb_straight = bool(bends[0] < STRAIGHT_THUMB_DEG)
    thumb_away = float(np.linalg.norm(hand[KNUCKLES] - hand[THUMB_TIP], axis=1).min()) / palm
    shape = "".join("|" if bend < STRETCHED_DEG else "o" if bend > CURLED_DEG else "?" for bend in bends[1:])
    if shape == "||||" and thumb_straight:
        return Gesture.OPEN_PALM
    if shape == "||oo" and _angles_deg(hand[8] - hand[5], hand[12] - hand[9]) > SPREAD_DEG:
        return Gesture.VICTORY
    if shape == "|ooo":
        return Gesture.POINT
    if shape == "oooo" and thumb_away < THUMB_IN:
        return Gesture.FIST
    if shape == "oooo" and thumb_away > THUMB_OUT and thumb_straight and _points_up(hand):
        return Gesture.THUMBS_UP
    return Gesture.NONE


def first_gesture(hands: Iterable[HandPoints]) -> Gesture:
    """What the first of the hands shows that shows anything."""
    return next((shown for hand in hands if (shown := gesture(hand)) is not Gesture.NONE), Gesture.NONE)


def finger_bends_deg(hand: HandPoints) -> NDArray[np.float32]:
    """(5,) how far each finger is bent from wrist to tip, the sum over its three joints, degrees; thumb first."""
    bones = np.diff(hand[FINGERS], axis=1)
    return _angles_deg(bones[:, :-1], bones[:, 1:]).sum(axis=1)


def _angles_deg(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """(...) angles between vectors (..., 3); 90 where one is nothing."""
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosines = (a * b).sum(axis=-1) / np.maximum(lengths, 1e-12)
    return np.degrees(np.arccos(np.clip(cosines, -1, 1))).astype(np.float32)


def _points_up(hand: HandPoints) -> bool:
    up = np.array([0, -1, 0], np.float32)
    return bool(_angles_deg(hand[THUMB_TIP] - hand[THUMB_ROOT], up) < UP_DEG)


class GestureFilter:
    """Takes the flicker out of gestures: one counts once it was seen for `BEGIN_S`, and ends after `END_S` without."""

    def __init__(self) -> None:
        self._current, self._current_s = Gesture.NONE, 0.0  # what counts, and when it was last seen
        self._candidate, self._since_s = Gesture.NONE, 0.0  # what is seen, and since when without a break
        self._asked_s = 0.0

    def __call__(self, seen: Gesture, now_s: float) -> Gesture:
        """The gesture that counts at `now_s`, in which `seen` was seen; NONE is a picture without one."""
        broken = now_s - self._asked_s >= END_S  # nobody looked in between
        self._asked_s = now_s
        if seen is not self._candidate or broken:
            self._candidate, self._since_s = seen, now_s
        if self._current is not Gesture.NONE and now_s - self._current_s >= END_S:
            self._current = Gesture.NONE
        if seen is self._current or (seen is not Gesture.NONE and now_s - self._since_s >= BEGIN_S):
            self._current, self._current_s = seen, now_s
        return self._current

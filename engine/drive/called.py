"""Expressions on call, from keys and hands, on top of what is performed."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

import cv2
import numpy as np

from engine.drive.bindings import Bindings, GestureActions
from engine.drive.triggers import Triggers
from engine.face import arkit
from engine.face.gesture import GestureFilter, HandPoints, first_gesture
from engine.face.model import face_model
from engine.face.performance import Performance
from engine.track.hands import HandTracker
from engine.track.tracker import Tracked

EVERY: Final = 3  # frames: looking for hands takes as long as for a face
SHARE: Final = 0.5  # of the picture's width and height is enough for a hand


class Called:
    """Adds what was called for."""

    def __init__(self, triggers: Triggers) -> None:
        self._triggers = triggers

    def __call__(self, tracked: Tracked) -> Tracked:
        """The performance with it; a lost performer stays lost."""
        called = self._triggers.at(tracked.frame.captured_s)
        if tracked.performance is None or not called.any():
            return tracked
        return with_expression(tracked, tracked.performance, called)


def with_expression(tracked: Tracked, performance: Performance, called: arkit.Coefficients) -> Tracked:
    """The performance with coefficients (52,) added, none going beyond 1."""
    model = face_model()
    shown = model.coefficients(performance.offsets) if tracked.coefficients is None else tracked.coefficients
    wanted = np.clip(shown + called, 0, 1).astype(np.float32)
    offsets = (performance.offsets + model.offsets(wanted) - model.offsets(shown)).astype(np.float32)
    return replace(tracked, performance=Performance(performance.head, offsets), coefficients=wanted)


class HandFinder:
    """Looks for the performer's hands in every third frame."""

    def __init__(self, most_hands: Literal[1, 2]) -> None:
        self._hands = HandTracker(most_hands)
        self._count = 0
        self._found: tuple[HandPoints, ...] = ()

    def __call__(self, tracked: Tracked) -> Tracked:
        """The same with the hands that were seen last."""
        self._count += 1
        if self._count % EVERY == 1:
            small = cv2.resize(tracked.frame.bgr, None, fx=SHARE, fy=SHARE, interpolation=cv2.INTER_AREA)
            seen = self._hands(np.asarray(small, np.uint8))
            self._found = tuple((hand / np.float32(SHARE)).astype(np.float32) for hand in seen)
        return replace(tracked, hands=self._found)

    def close(self) -> None:
        """Free the networks."""
        self._hands.close()


class HandWatch:
    """Calls for what the gestures of the hands that were found are bound to."""

    def __init__(self, bindings: Bindings, triggers: Triggers) -> None:
        self._steady, self._act = GestureFilter(), GestureActions(bindings.hands, triggers)

    def __call__(self, tracked: Tracked) -> Tracked:
        """The same; `Called`, which comes after it, shows what it calls for."""
        self._act(self._steady(first_gesture(tracked.hands), tracked.frame.captured_s))
        return tracked

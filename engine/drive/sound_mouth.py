"""The mouth from sound: where the face is lost, where there is no camera, or, if asked, always."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from engine.curves import smoothstep
from engine.face.arkit import COUNT, Coefficients
from engine.face.model import face_model
from engine.face.performance import HeadMotion, Performance
from engine.face.proportions import region_weights
from engine.face.safety import EASE_S as SILENT_REST_S
from engine.face.safety import HOLD_S
from engine.track.tracker import Tracked

EASE_S: Final = 0.3  # in which sound takes over the mouth, and a face that is back takes over all of it
REST_S: Final = 0.6  # in which the head of a lost face that speaks comes to rest


class SoundMouth:
    """Keeps state from frame to frame: use it from one thread."""

    def __init__(
        self, mouth_at: Callable[[float], Coefficients | None], *, always: bool = False, alone: bool = False
    ) -> None:
        """`mouth_at` gives the mouth (52,) for a time, None in silence. `always`: also while the face is seen, for a mouth
        that is covered. `alone`: there is no camera, and who is silent is at rest, not lost."""
        self._alone = alone
        self._mouth_at, self._always = mouth_at, always
        self._voice, self._body = 0.0, 1.0  # how much of the mouth is sound's; how much of the rest is still the face's
        self._spoke = False  # the last frame had sound's part in it
        self._last, self._mouth = Performance.neutral(), np.zeros((1, 1), np.float32)
        self._at_s: float | None = None
        self._lost_s = 0.0

    def __call__(self, tracked: Tracked) -> Tracked:
        """The performance with the mouth that sound has a share in."""
        if self._alone:
            return self._spoken(tracked)
        now_s = tracked.frame.captured_s
        step_s = 0.0 if self._at_s is None else max(0.0, now_s - self._at_s)
        self._at_s = now_s
        heard = self._mouth_at(now_s)
        wanted = heard is not None and (self._always or tracked.lost)
        self._voice = min(1.0, max(0.0, self._voice + (step_s if wanted else -step_s) / EASE_S))
        if heard is not None:
            self._mouth = face_model().offsets(heard)
        self._follow(tracked.performance, heard is not None, step_s)
        silent_loss = tracked.lost and heard is None
        self._spoke = not silent_loss and (self._voice > 0 or self._body < 1)
        return replace(tracked, performance=self._mixed(), coefficients=None) if self._spoke else tracked

    def _follow(self, seen: Performance | None, speaking: bool, step_s: float) -> None:
        """Head and upper face: as seen; eased to rest while a lost face speaks, or as `SafeMotion` does in silence."""
        if seen is not None:
            self._last, self._lost_s = seen, 0.0
            self._body = min(1.0, self._body + step_s / EASE_S) if self._spoke else 1.0
            return
        self._lost_s += step_s
        if speaking:
            self._body = max(0.0, self._body - step_s / REST_S)
        elif self._lost_s > HOLD_S:
            self._body = max(0.0, self._body - step_s / SILENT_REST_S)

    def _spoken(self, tracked: Tracked) -> Tracked:
        heard = self._mouth_at(tracked.frame.captured_s)
        offsets = face_model().offsets(np.zeros(COUNT, np.float32) if heard is None else heard)
        return replace(tracked, performance=Performance(HeadMotion.still(), offsets), coefficients=heard)

    def _mixed(self) -> Performance:
        """The face as far as it is seen, its mouth given over to sound."""
        shown = self._last.eased(smoothstep(self._body))
        given = np.float32(self._voice) * (self._mouth - region_weights()[:, :1] * shown.offsets)
        return Performance(shown.head, (shown.offsets + given).astype(np.float32))

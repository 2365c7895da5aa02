"""The mouth from sound: where the face is lost, where there is no camera, or, if asked, always."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from engine.face.arkit import COUNT, Coefficients
from engine.face.model import face_model
from engine.face.performance import HeadMotion, Performance
from engine.face.proportions import region_weights
from engine.track.tracker import Tracked

EASE_S: Final = 0.3  # in which sound takes over from the face, and gives back


class SoundMouth:
    """Keeps state from frame to frame: use it from one thread."""

    def __init__(
        self, mouth_at: Callable[[float], Coefficients | None], *, always: bool = False, alone: bool = False
    ) -> None:
        """`mouth_at` gives the mouth (52,) for a time, None in silence. `always`: also while the face is seen, for a mouth
        that is covered. `alone`: there is no camera, and who is silent is at rest, not lost."""
        self._alone = alone
        self._mouth_at, self._always = mouth_at, always
        self._share = 0.0
        self._last, self._mouth = Performance.neutral(), np.zeros((1, 1), np.float32)
        self._at_s: float | None = None

    def __call__(self, tracked: Tracked) -> Tracked:
        """The performance with the mouth that sound has a share in."""
        if self._alone:
            return self._spoken(tracked)
        now_s = tracked.frame.captured_s
        step_s = 0.0 if self._at_s is None else max(0.0, now_s - self._at_s)
        self._at_s = now_s
        heard = self._mouth_at(now_s)
        wanted = heard is not None and (self._always or tracked.lost)
        self._share = min(1.0, max(0.0, self._share + (step_s if wanted else -step_s) / EASE_S))
        if heard is not None:
            self._mouth = face_model().offsets(heard)
        if tracked.performance is not None:
            self._last = tracked.performance
        if self._share == 0 or (tracked.lost and heard is None):
            return tracked
        return replace(tracked, performance=self._mixed(tracked.performance), coefficients=None)

    def _spoken(self, tracked: Tracked) -> Tracked:
        heard = self._mouth_at(tracked.frame.captured_s)
        offsets = face_model().offsets(np.zeros(COUNT, np.float32) if heard is None else heard)
        return replace(tracked, performance=Performance(HeadMotion.still(), offsets), coefficients=heard)

    def _mixed(self, seen: Performance | None) -> Performance:
        """A face that is seen keeps all but its mouth; one that is not comes to rest but for the mouth."""
        share = np.float32(self._share)
        if seen is not None:
            at_mouth = share * region_weights()[:, :1]
            offsets = seen.offsets + at_mouth * (self._mouth - seen.offsets)
            return Performance(seen.head, offsets.astype(np.float32))
        resting = self._last.eased(1 - self._share)
        head = resting.head if self._share < 1 else HeadMotion.still()
        return Performance(head, (resting.offsets + share * self._mouth).astype(np.float32))

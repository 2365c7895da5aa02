"""MediaPipe Hands behind a small interface: a picture in, each hand's landmarks in pixels out.

Zhang et al., MediaPipe Hands: On-device Real-time Hand Tracking (2020). Palms are looked for while fewer hands than wanted are
known; a known hand is followed from picture to picture by its landmarks.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from engine.face.gesture import HandPoints
from engine.track.facemesh import rgb_of, to_px  # before MediaPipe: it quietens its start

from mediapipe.python.solutions.hands import Hands  # isort: skip

LITE: Final = 0  # the smaller of MediaPipe's two sizes of networks


class HandTracker:
    """Follows one or two hands from picture to picture. Keeps state: use it from one thread."""

    def __init__(self, most_hands: Literal[1, 2] = 1) -> None:
        self._hands = Hands(static_image_mode=False, max_num_hands=most_hands, model_complexity=LITE)

    def __call__(self, bgr: NDArray[np.uint8]) -> list[HandPoints]:
        """The hands seen in the next picture (height_px, width_px, 3), at most as many as wanted."""
        found = self._hands.process(rgb_of(bgr))
        height_px, width_px = bgr.shape[:2]
        points = [to_px(hand, width_px, height_px) for hand in found.multi_hand_landmarks or []]
        return [hand for hand in points if hand is not None]

    def close(self) -> None:
        """Free the networks."""
        self._hands.close()

"""How far a performer's expressions go: what brings tracked coefficients to 0 to 1.

FaceMesh sees a part of each shape (`FaceModel.seen`), one performer's smile is half of another's. Programs at the other end of a
protocol expect 1 for all of it, so coefficients are told as shares of what this performer was seen to do.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from engine.face import arkit
from engine.face.model import face_model

GROWTH: Final = 0.25  # of what a frame goes beyond the range is learnt; one wild frame doesn't stretch it
BLINKS: Final = np.array([arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]])
LIDS_UP: Final = 0.15  # under that the eye is open
BLINK_LEAST: Final = 0.2  # a peak under that is a lid that flutters
BLINK_FRAMES: Final = 12  # a lid that is down for longer is lowered, not blinking
BLINK_SHARE: Final = 0.15  # of the way to each blink's peak that its range goes: everybody shuts the eyes all the way
LEAST_BLINK_RANGE: Final = 0.4


class Ranges:
    """Learns from every frame. Use it from one thread."""

    def __init__(self, most: arkit.Coefficients | None = None) -> None:
        """`most` (52,) is what was learnt before; by default what FaceMesh sees of each shape."""
        self.most = (face_model().seen if most is None else most).astype(np.float32).copy()
        self._peaks, self._down = np.zeros(len(BLINKS)), np.zeros(len(BLINKS), int)  # since each lid came down

    def forget(self) -> None:
        """Somebody else performs."""
        self.most = face_model().seen.astype(np.float32).copy()

    def share(self, coefficients: arkit.Coefficients) -> arkit.Coefficients:
        """Tracked coefficients (52,) as shares of the range, in [0, 1]."""
        return np.clip(coefficients / self.most, 0, 1).astype(np.float32)

    def learn(self, coefficients: arkit.Coefficients) -> None:
        """Take tracked coefficients (52,) into account."""
        over = np.maximum(coefficients - self.most, 0)
        self.most = np.minimum(self.most + np.float32(GROWTH) * over, 1).astype(np.float32)
        self._learn_blinks(coefficients)

    def _learn_blinks(self, coefficients: arkit.Coefficients) -> None:
        for eye, index in enumerate(BLINKS):
            if coefficients[index] >= LIDS_UP:
                self._peaks[eye] = max(self._peaks[eye], coefficients[index])
                self._down[eye] += 1
                continue
            if self._peaks[eye] >= BLINK_LEAST and self._down[eye] <= BLINK_FRAMES:
                wanted = max(self._peaks[eye], LEAST_BLINK_RANGE)
                self.most[index] += np.float32(BLINK_SHARE * (wanted - self.most[index]))
            self._peaks[eye], self._down[eye] = 0.0, 0

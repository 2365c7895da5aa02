"""The track stage: a frame in, the performer's face and performance out, or an explicit loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.face.arkit import Coefficients
from engine.face.calibration import Calibration
from engine.face.expression import ExpressionFit
from engine.face.gesture import HandPoints
from engine.face.landmarks import COUNT, Points
from engine.face.performance import Performance
from engine.face.pose import Pose, fit_head
from engine.live.frame import Frame
from engine.names import LandmarkName
from engine.track.face_network import FaceNetwork
from engine.track.facemesh import FaceDetector, LandmarkTracker
from engine.track.filter import FaceFilter
from engine.track.lock import REACH_FACES, PerformerLock, Place
from engine.track.one_euro import OneEuro

# of coefficients, in units per second, of which a blink moves at 10; what is drawn doesn't wait for it
TOLD_CUTOFF_HZ, TOLD_GAIN = 1.5, 4.0
SURROUNDINGS = 1.1  # what the tracker may see around a face that it shall pick up, in face sizes to each side


@dataclass(frozen=True, slots=True)
class Tracked:
    """A frame and what the performer does in it."""

    frame: Frame
    landmarks_px: Points | None  # (478, 3), filtered; None: the performer is lost
    pose: Pose | None
    performance: Performance | None
    coefficients: Coefficients | None = None  # (52,) of the performance, where the tracker fitted them
    hands: tuple[HandPoints, ...] = ()  # (21, 3) px each, where they are looked for

    @property
    def lost(self) -> bool:
        """The performer isn't seen in this frame."""
        return self.performance is None


class Tracker:
    """Follows one performer. Keeps state from frame to frame: use it from one thread."""

    def __init__(self, calibration: Calibration | None = None, landmarks: LandmarkName = "openvino") -> None:
        """ConfigError where `landmarks` can't be had."""
        self.calibration = calibration or Calibration()
        self._detector = FaceDetector()
        self._mesh = LandmarkTracker() if landmarks == "mediapipe" else FaceNetwork(self._detector, landmarks)
        self._lock, self._filter, self._expression = PerformerLock(), FaceFilter(), ExpressionFit()
        self._steady = OneEuro(TOLD_CUTOFF_HZ, TOLD_GAIN)
        self._following = False

    @property
    def landmarks(self) -> LandmarkName:
        """What finds the face's points now: another than was asked for once a GPU was lost."""
        return self._mesh.runtime if isinstance(self._mesh, FaceNetwork) else "mediapipe"

    def __call__(self, frame: Frame) -> Tracked:
        """Find the performer in the next frame."""
        return self.read(frame, self.find(frame))

    def read(self, frame: Frame, raw: Points | None) -> Tracked:
        """What the performer does, with landmarks that `find` found in the next frame."""
        if raw is None:
            self._filter.reset()
            self._expression.reset()
            self._steady.reset()
            return Tracked(frame, None, None, None)
        neutral = self.calibration.update(raw, frame.captured_s)
        pose = fit_head(neutral.shape, raw)
        pose, shape = self._filter(pose, pose.invert(raw), frame.captured_s)
        seen = neutral.performance(pose, shape)
        expression = self._expression(seen.offsets)
        performance = Performance(seen.head, expression.offsets)
        told = self._steady(expression.coefficients[:, None], frame.captured_s)[:, 0]
        return Tracked(frame, pose.apply(shape), pose, performance, told)

    def find(self, frame: Frame) -> Points | None:
        """The performer's landmarks (478, 3) px as the network sees them, None where the performer is lost."""
        found = self._follow(frame) if self._following else self._search(frame)
        self._following = found is not None
        return found

    def warm_up(self, bgr: NDArray[np.uint8]) -> None:
        """Run networks and fits once, so that the first frame doesn't wait for them; nothing is learnt from the picture."""
        self._detector(bgr)
        self._mesh(bgr)
        self._mesh.forget()
        self._expression(np.zeros((COUNT, 3), np.float32))  # compiles, as does what follows
        smooth = OneEuro(1.0, 1.0)
        for now_s in (0.0, 1.0):
            smooth(np.zeros((1, 1), np.float32), now_s)

    def close(self) -> None:
        """Free the networks."""
        self._mesh.close()
        self._detector.close()

    def _follow(self, frame: Frame) -> Points | None:
        found = self._mesh(frame.bgr)
        if found is not None and self._lock.follow(Place.of(found), frame.captured_s):
            return found
        self._mesh.forget()
        return self._search(frame)

    def _search(self, frame: Frame) -> Points | None:
        faces = [Place(*map(float, face)) for face in self._detector(frame.bgr)]
        performer = self._lock.choose(faces, frame.captured_s)
        if performer is None:
            return None
        self._mesh.forget()
        found = self._mesh(_only(frame.bgr, performer, [face for face in faces if face is not performer]))
        if found is not None and performer.away(Place.of(found)) > REACH_FACES:
            self._mesh.forget()  # somebody else nearby
            return None
        if found is not None:
            if self._lock.given_up(frame.captured_s):
                self.calibration.performer_changed()
            self._lock.take(Place.of(found), frame.captured_s)
        return found


def _only(bgr: NDArray[np.uint8], place: Place, others: list[Place]) -> NDArray[np.uint8]:
    """The picture with everything but one face's surroundings black, and other faces in them, so that none can be picked up."""
    result = np.zeros_like(bgr)
    near = _square(place, 0.5 + SURROUNDINGS)
    result[near] = bgr[near]
    for other in others:
        result[_square(other, 0.5)] = 0
    own = _square(place, 0.5)
    result[own] = bgr[own]
    return result


def _square(place: Place, half_sizes: float) -> tuple[slice, slice]:
    """Rows and columns around a face, `half_sizes` of its size to each side."""
    half = half_sizes * place.size
    rows = slice(max(0, int(place.y - half)), max(0, int(place.y + half)))
    return rows, slice(max(0, int(place.x - half)), max(0, int(place.x + half)))

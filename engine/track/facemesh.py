"""MediaPipe FaceMesh with irises behind a small interface: a picture in, landmarks in pixels out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from mediapipe.python.solutions.face_detection import FaceDetection
from mediapipe.python.solutions.face_mesh import FaceMesh
from numpy.typing import NDArray

from engine.face.landmarks import Points


def rgb_of(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture as MediaPipe takes it."""
    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    rgb.flags.writeable = False  # lets MediaPipe take it without a copy
    return np.asarray(rgb, np.uint8)


def to_px(face: Any, width_px: int, height_px: int) -> Points | None:
    """Landmarks in pixels; None where the network's answer is not a face (not a number, all in one point)."""
    points = np.array([(p.x, p.y, p.z) for p in face.landmark], np.float32)
    points = points * np.array([width_px, height_px, width_px], np.float32)
    return points if np.isfinite(points).all() and np.ptp(points[:, 0]) >= 2 else None


class LandmarkTracker:
    """Follows one face from frame to frame; it looks anew only when it has lost it."""

    def __init__(self) -> None:
        self._mesh = FaceMesh(static_image_mode=False, max_num_faces=1, refine_landmarks=True)

    def __call__(self, bgr: NDArray[np.uint8]) -> Points | None:
        """Landmarks (478, 3) px, z in the scale of x, or None where no face is seen."""
        faces = self._mesh.process(rgb_of(bgr)).multi_face_landmarks
        return to_px(faces[0], bgr.shape[1], bgr.shape[0]) if faces else None

    def forget(self) -> None:
        """Look anew at the next frame."""
        self._mesh.reset()

    def close(self) -> None:
        """Free the network."""
        self._mesh.close()


def find_faces(bgr: NDArray[np.uint8]) -> list[Points]:
    """Landmarks of up to three faces in a still, largest first."""
    with FaceMesh(static_image_mode=True, max_num_faces=3, refine_landmarks=True) as mesh:
        faces = mesh.process(rgb_of(bgr)).multi_face_landmarks or []
    found = [to_px(face, bgr.shape[1], bgr.shape[0]) for face in faces]
    return sorted((points for points in found if points is not None), key=lambda p: -float(np.ptp(p[:, 0])))


@dataclass(frozen=True, slots=True, eq=False)
class SeenFace:
    """A face as the detector sees it."""

    low: NDArray[np.float32]  # (2,) px, the box's upper left corner
    high: NDArray[np.float32]  # (2,) px, its lower right one
    eyes: NDArray[np.float32]  # (2, 2) px, the one on the left of the picture first


class FaceDetector:
    """All faces of a picture; cheap, for finding the performer again."""

    def __init__(self) -> None:
        self._detection = FaceDetection(model_selection=0, min_detection_confidence=0.5)

    def __call__(self, bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 3): centre x, centre y and size (mean of width and height) of each face, px."""
        places = [(*(face.low + face.high) / 2, (face.high - face.low).mean()) for face in self.faces(bgr)]
        return np.array(places, np.float32).reshape(-1, 3)

    def faces(self, bgr: NDArray[np.uint8]) -> list[SeenFace]:
        """All of them, surest first."""
        found = [d.location_data for d in self._detection.process(rgb_of(bgr)).detections or []]
        size = np.array(bgr.shape[1::-1], np.float32)
        return [_seen(place.relative_bounding_box, place.relative_keypoints[:2], size) for place in found]

    def close(self) -> None:
        """Free the network."""
        self._detection.close()


def _seen(box: Any, eyes: Any, size: NDArray[np.float32]) -> SeenFace:
    low = np.array([box.xmin, box.ymin], np.float32) * size
    high = low + np.array([box.width, box.height], np.float32) * size
    return SeenFace(low, high, np.array([(eye.x, eye.y) for eye in eyes], np.float32) * size)

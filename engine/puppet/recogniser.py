"""dlib's face recognition network (D. King, 2017; a ResNet with 29 layers), from the extra `self`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.face.landmarks import Points
from engine.puppet.enrol import Description

MODEL: Final = "dlib_face_recognition_resnet_model_v1.dat"
FIVE_POINTS: Final = (263, 362, 33, 133, 2)  # landmarks nearest to dlib's five: eye corners, base of the nose
MOST_PX: Final = 640  # side of what is described: more tells nothing


class DlibRecogniser:
    """Describes faces in 128 numbers."""

    def __init__(self) -> None:
        """ConfigError where the extra is not installed."""
        models = find_spec("face_recognition_models")
        if (
            (find_spec("dlib") is None and find_spec("_dlib_pybind11") is None)
            or models is None
            or models.origin is None
        ):
            raise ConfigError(
                wanted="face recognition, so that a puppet of yourself is known to be yours",
                found="the packages for it are not installed",
                advice="pip install 'mimicam[self]', in mimicam's own folder: pip install -e '.[self]'.",
            )
        import dlib

        self._dlib: Any = dlib
        self._network = dlib.face_recognition_model_v1(str(Path(models.origin).parent / "models" / MODEL))

    def __call__(self, picture: NDArray[np.uint8], landmarks: Points) -> Description:
        """(128,) float64 of the face with these landmarks."""
        scale = min(1.0, MOST_PX / max(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        points = landmarks[:, :2] * scale
        low, high = points.min(0), points.max(0)
        box = self._dlib.rectangle(*(int(v) for v in (*low, *high)))
        five = [self._dlib.point(int(x + 0.5), int(y + 0.5)) for x, y in points[list(FIVE_POINTS)]]
        rgb = np.ascontiguousarray(small[..., ::-1])
        return np.array(self._network.compute_face_descriptor(rgb, self._dlib.full_object_detection(box, five)))

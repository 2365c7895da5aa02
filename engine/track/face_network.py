"""MediaPipe's face landmarks with attention, run by OpenVINO, torch or TensorRT: the same network and the same way from frame to
frame, in less time, and with nothing between picture and points that can't be seen.

The face's rectangle comes from the last frame's landmarks, or from MediaPipe's detector where there is none; what it shows
goes through the network, whose points come back into the picture. Rectangles are as in MediaPipe's graphs face_landmark_front,
face_detection_front_detection_to_roi and face_landmark_landmarks_to_roi; refinement is that of
tensors_to_face_landmarks_with_attention. Differences to MediaPipe's own points are some hundredths of a pixel: it scales
pictures by another library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import cv2
import numpy as np
import openvino as ov
from mediapipe.python.solutions import face_mesh
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.face.landmarks import COUNT, EYE_LEFT, EYE_RIGHT, IRIS_LEFT, IRIS_RIGHT, SKIN_COUNT, Points
from engine.track.facemesh import FaceDetector
from models.openvino_runtime import compile_graph
from models.tflite_graph import GraphError, attention_landmarks, onnx_of

FILE: Final = "modules/face_landmark/face_landmark_with_attention.tflite"
INPUT: Final = "input_1"
SIZE_PX: Final = 192  # of what the network sees
MARGIN: Final = 1.5  # of the rectangle, over what bounds the face
OUTER_CORNERS: Final = (33, 263)  # of the eyes: the line between them is level in what the network sees
LEAST_PRESENCE: Final = 0.5  # of a face, for its landmarks to count
NetworkRuntime = Literal["openvino", "torch-cuda", "tensorrt"]


@dataclass(frozen=True, slots=True)
class Square:
    """The part of a picture that the network sees."""

    x: float  # middle, px
    y: float
    side: float  # px
    turn: float  # clockwise, radians

    @staticmethod
    def around(low: NDArray[np.float32], high: NDArray[np.float32], left: Any, right: Any) -> Square:
        """Over what lies between two corners (2,) px, level with the line from `left` to `right` (2,) px."""
        middle, side = (low + high) / 2, MARGIN * float(np.max(high - low))
        return Square(
            float(middle[0]), float(middle[1]), side, float(np.arctan2(right[1] - left[1], right[0] - left[0]))
        )

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(2, 3): from pixels of the part to those of the picture."""
        step = self.side / SIZE_PX
        cos, sin = step * np.cos(self.turn), step * np.sin(self.turn)
        turn = np.array([[cos, -sin], [sin, cos]])
        corner = np.array([self.x, self.y]) - turn @ np.full(2, SIZE_PX / 2)
        return np.column_stack([turn, corner])


class FaceNetwork:
    """Follows one face from frame to frame; it looks anew only when it has lost it."""

    def __init__(self, detector: FaceDetector, runtime: NetworkRuntime = "openvino") -> None:
        """Convert and compile the network that the installed MediaPipe brings. `detector`, which stays its owner's, finds a face
        that is not known yet. ConfigError where the network, or `runtime`, can't be used."""
        path = Path(face_mesh.__file__).parents[2] / FILE
        try:
            graph, self._refined = onnx_of(path).SerializeToString(), attention_landmarks(path)
        except (GraphError, OSError) as error:
            raise ConfigError(
                wanted="the landmark network of the installed MediaPipe", found=str(error),
                advice="Reinstall mediapipe, or use --landmarks mediapipe.",
            ) from error  # fmt: skip
        self._run, self._asked = _compiled(graph, runtime), runtime
        self._detector = detector
        self._square: Square | None = None
        self._run(np.zeros((1, SIZE_PX, SIZE_PX, 3), np.float32))  # the first answer takes longer

    def __call__(self, bgr: NDArray[np.uint8]) -> Points | None:
        """Landmarks (478, 3) px, z in the scale of x, or None where no face is seen."""
        return self._seen(bgr, self._square or self._detected(bgr))

    def follow(self, bgr: NDArray[np.uint8], before: Points | None) -> Points | None:
        """The same, with the face where landmarks (478, 3) px of the frame before were, whoever found them."""
        return self._seen(bgr, self._detected(bgr) if before is None else _around(before))

    def _seen(self, bgr: NDArray[np.uint8], square: Square | None) -> Points | None:
        points = None if square is None else self._points(bgr, square)
        self._square = None if points is None else _around(points)
        return points

    @property
    def runtime(self) -> NetworkRuntime:
        """What finds points now: OpenVINO once a GPU was lost."""
        return "openvino" if isinstance(self._run, _Replaced) and self._run.lost else self._asked

    def forget(self) -> None:
        """Look anew at the next frame."""
        self._square = None

    def close(self) -> None:
        """There is nothing to free."""

    def _detected(self, bgr: NDArray[np.uint8]) -> Square | None:
        found = self._detector.faces(bgr)
        return Square.around(found[0].low, found[0].high, *found[0].eyes) if found else None

    def _points(self, bgr: NDArray[np.uint8], square: Square) -> Points | None:
        matrix = square.matrix
        seen = cv2.warpAffine(
            bgr,
            matrix,
            (SIZE_PX, SIZE_PX),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        rgb = cv2.cvtColor(seen, cv2.COLOR_BGR2RGB)
        answer = self._run(np.multiply(rgb, 1 / 255, dtype=np.float32)[None])
        if 1 / (1 + np.exp(-float(answer["conv_faceflag"].squeeze()))) < LEAST_PRESENCE:
            return None
        points = self._assembled(answer)
        points[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        points[:, 2] *= square.side / SIZE_PX
        return points if np.isfinite(points).all() and np.ptp(points[:, 0]) >= 2 else None

    def _assembled(self, answer: Any) -> Points:
        """(478, 3) px of what the network saw: the mesh, with lips, eyes and irises by those who look closer."""
        points = np.zeros((COUNT, 3), np.float32)
        points[:SKIN_COUNT] = answer["output_mesh_identity"].reshape(-1, 3)
        for name, which in self._refined.items():
            points[which, :2] = answer[name].reshape(-1, 2)
        for iris, eye in ((IRIS_LEFT, EYE_LEFT), (IRIS_RIGHT, EYE_RIGHT)):
            points[iris, 2] = points[eye, 2].mean()
        return points


def _compiled(graph: bytes, runtime: NetworkRuntime) -> Callable[[NDArray[np.float32]], Any]:
    """What answers by names of outputs, in f32: in bf16 points move by 0.2 px."""
    if runtime == "openvino":
        return _in_openvino(graph)
    try:
        there = _ON_GPU[runtime](graph)
    except Exception as error:  # driver, context and memory have errors of their own, in packages that may be missing
        raise ConfigError(
            wanted=f"landmarks by {runtime}",
            found=f"{type(error).__name__}: {error}",
            advice="Use --landmarks openvino.",
        ) from error
    return _Replaced(lambda seen: there({INPUT: seen}), lambda: _in_openvino(graph))


def _in_torch(graph: bytes) -> Callable[[dict[str, NDArray[np.float32]]], Any]:
    import torch

    from models.torch_graph import TorchGraph

    if not torch.cuda.is_available():
        raise RuntimeError("torch finds no CUDA device")
    return TorchGraph(graph, "cuda")


def _in_tensorrt(graph: bytes) -> Callable[[dict[str, NDArray[np.float32]]], Any]:
    from models.tensorrt_runtime import TensorRtGraph

    return TensorRtGraph(graph)


_ON_GPU: Final = {"torch-cuda": _in_torch, "tensorrt": _in_tensorrt}


def _in_openvino(graph: bytes) -> Callable[[NDArray[np.float32]], Any]:
    request = compile_graph(
        ov.Core(), graph, "f32", threads=1
    ).create_infer_request()  # a second thread would only wait
    return lambda seen: request.infer(seen, share_inputs=True, share_outputs=True)


class _Replaced:
    """Runs on a GPU until that is lost, and on the CPU from then on: a performer is not lost with it."""

    def __init__(self, run: Callable[[NDArray[np.float32]], Any], instead: Callable[[], Callable[..., Any]]) -> None:
        self._run, self._instead = run, instead
        self.lost = False

    def __call__(self, seen: NDArray[np.float32]) -> Any:
        if not self.lost:
            try:
                return self._run(seen)
            except Exception:  # driver, context and memory have errors of their own, in packages that may be missing
                self.lost, self._run = True, self._instead()
        return self._run(seen)


def _around(points: Points) -> Square:
    left, right = points[list(OUTER_CORNERS), :2]
    return Square.around(points[:, :2].min(0), points[:, :2].max(0), left, right)

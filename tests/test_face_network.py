"""MediaPipe's network outside of MediaPipe: the same points from the same rectangle, and the same way from frame to frame."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from devices import GPU_RUNTIMES, gpu
from hypothesis import given, settings
from hypothesis import strategies as st
from mediapipe.python.solutions import face_mesh
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.face import landmarks as lm
from engine.track.face_network import FILE, INPUT, SIZE_PX, FaceNetwork, NetworkRuntime, Square, _Replaced
from engine.track.facemesh import FaceDetector, LandmarkTracker
from engine.track.tracker import Tracker
from models.tensorrt_engine import build_engine
from models.tflite_graph import GraphError, attention_landmarks, onnx_of

PATH = Path(face_mesh.__file__).parents[2] / FILE
RTX = "tensorrt_rtx_bindings"


def test_the_same_rectangle_gives_mediapipes_points(demo_frames: list[NDArray[np.uint8]]) -> None:
    """Within a tenth of a pixel; what is left is how the two scale the picture."""
    theirs, ours = LandmarkTracker(), FaceNetwork(FaceDetector())
    before = None
    for frame in demo_frames[:20]:
        expected = theirs(frame)
        assert expected is not None
        if before is not None:
            found = ours.follow(frame, before)
            assert found is not None
            assert np.abs(found - expected).max() <= 0.1
        before = expected
    theirs.close()
    ours.close()


def test_left_alone_it_stays_with_mediapipe(demo_frames: list[NDArray[np.uint8]]) -> None:
    """Small differences in the points are small ones in the next rectangle: nothing adds up. It finds the face itself."""
    theirs, ours = LandmarkTracker(), FaceNetwork(FaceDetector())
    for frame in demo_frames:
        expected, found = theirs(frame), ours(frame)
        assert expected is not None
        assert found is not None
        unit = lm.inter_ocular(expected)
        assert np.abs(found - expected).mean() <= 0.001 * unit
        assert np.abs(found - expected).max() <= 0.01 * unit
    theirs.close()
    ours.close()


def test_where_there_is_no_face_there_are_no_points(demo_frames: list[NDArray[np.uint8]]) -> None:
    network = FaceNetwork(FaceDetector())
    black = np.zeros_like(demo_frames[0])
    assert network(black) is None
    assert network(demo_frames[0]) is not None
    assert network(black) is None  # a rectangle is known, and nothing in it
    network.forget()
    assert network(demo_frames[0]) is not None
    network.close()


@given(st.floats(-200, 200), st.floats(-200, 200), st.floats(10, 500), st.floats(-3, 3))
@settings(deadline=None)
def test_a_squares_matrix_takes_its_own_corners_and_middle(x: float, y: float, side: float, turn: float) -> None:
    matrix = Square(x, y, side, turn).matrix
    assert np.allclose(matrix @ (SIZE_PX / 2, SIZE_PX / 2, 1), (x, y), atol=1e-6)
    corner, along = matrix @ (0, 0, 1), matrix @ (SIZE_PX, 0, 1)
    assert np.linalg.norm(along - corner) == pytest.approx(side)
    assert np.arctan2(*(along - corner)[::-1]) == pytest.approx(turn)


@pytest.mark.parametrize("turn", [-30, 0, 20])
def test_a_turned_head_is_followed(turn: int, demo_frames: list[NDArray[np.uint8]]) -> None:
    frame = demo_frames[0]
    height, width = frame.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 0.8)
    turned = np.asarray(cv2.warpAffine(frame, matrix, (width, height)), np.uint8)
    network = FaceNetwork(FaceDetector())
    straight = network(frame)
    network.forget()
    found = network(turned)
    assert straight is not None
    assert found is not None
    wanted = straight[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(found[:, :2] - wanted).mean() <= 0.02 * lm.inter_ocular(found)
    network.close()


def test_the_file_says_which_points_are_looked_at_closely() -> None:
    refined = attention_landmarks(PATH)
    assert {name: len(points) for name, points in refined.items()} == {
        "output_lips": 80, "output_left_eye": 71, "output_right_eye": 71, "output_left_iris": 5, "output_right_iris": 5,
    }  # fmt: skip
    assert set(lm.LIPS_OUTER) | set(lm.LIPS_INNER) <= set(refined["output_lips"])
    assert set(lm.EYE_LEFT) <= set(refined["output_left_eye"])
    assert set(lm.EYE_RIGHT) <= set(refined["output_right_eye"])


def test_torch_answers_what_onnx_runtime_answers() -> None:
    graph = pytest.importorskip("models.torch_graph", reason="torch is not installed", exc_type=ImportError)
    model = onnx_of(PATH).SerializeToString()
    seen = np.random.default_rng(0).random((1, SIZE_PX, SIZE_PX, 3), np.float32)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    expected = session.run(None, {INPUT: seen})
    found = graph.TorchGraph(model, "cpu")({INPUT: seen})
    for output, values in zip(session.get_outputs(), expected, strict=True):
        assert np.allclose(found[output.name], values, atol=0.01), output.name  # px of the network's picture


def test_what_is_not_known_is_an_error() -> None:
    """Another network of MediaPipe's: nothing is guessed."""
    with pytest.raises(GraphError, match="activation 3"):
        onnx_of(PATH.parents[1] / "hand_landmark" / "hand_landmark_full.tflite")


@pytest.mark.skipif(find_spec(RTX) is None, reason="tensorrt-rtx is not installed: make engines")
def test_tensorrt_builds_its_engine() -> None:
    engine = build_engine(pytest.importorskip(RTX), onnx_of(PATH).SerializeToString(), target="SM89")
    assert len(engine) > 1_000_000


@pytest.mark.gpu
@pytest.mark.timeout(900)  # engines are built first
@pytest.mark.skipif(gpu() is None, reason="no GPU, or no PyCUDA")
@pytest.mark.parametrize("runtime", GPU_RUNTIMES)
def test_a_gpu_finds_the_same_points(runtime: NetworkRuntime, demo_frames: list[NDArray[np.uint8]]) -> None:
    networks = FaceNetwork(FaceDetector(), runtime), FaceNetwork(FaceDetector())
    before = networks[1](demo_frames[0])
    assert before is not None
    for frame in demo_frames[1:20]:
        found, expected = (network.follow(frame, before) for network in networks)
        assert found is not None
        assert expected is not None
        assert np.abs(found - expected).max() <= 0.1
        before = expected
    assert networks[0].runtime == runtime  # which answered to the end


def test_tensorrt_that_is_not_there_says_so() -> None:
    if find_spec("pycuda") is not None:
        pytest.skip("PyCUDA is installed")
    with pytest.raises(ConfigError, match=r"landmarks by tensorrt.*pycuda.*--landmarks openvino"):
        Tracker(landmarks="tensorrt")


def test_landmarks_that_are_lost_with_a_gpu_go_on_elsewhere() -> None:
    def fails(seen: NDArray[np.float32]) -> None:
        raise RuntimeError("an illegal memory access was encountered")

    made: list[int] = []

    def instead() -> Callable[[NDArray[np.float32]], int]:
        made.append(1)
        return lambda seen: int(seen[0])

    run = _Replaced(fails, instead)
    assert [run(np.array([value], np.float32)) for value in (3, 4)] == [3, 4]
    assert made == [1]

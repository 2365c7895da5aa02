"""The networks by themselves: weights that are checked, runtimes and precisions that agree with torch."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import openvino as ov
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from engine.machine import cores
from engine.render.generator import PARTS
from models import openvino_runtime
from models.config import CONFIGS, INSIDE
from models.graph import build_graph
from models.openvino_runtime import OpenVinoNetwork, best_precision
from models.runtimes import (
    TOLERANCE,
    Losable,
    Network,
    Precision,
    RuntimeName,
    StreamNetwork,
    UnavailableError,
    load_network,
)
from models.weights import PEAK, SUMS, DamagedWeightsError, load_weights, weights_folder

FIXTURES = Path(__file__).parent / "fixtures"


def laid(crops: NDArray[np.uint8], drawn: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture that comes of it, grey levels."""
    warp = crops[..., :3].astype(np.float32)
    return warp + drawn[..., 3:] * (drawn[..., :3] - warp)


def check_against_torch(network: Network, part: str) -> None:
    """The fixture is torch's answer in fp32 (`tools/build_network_fixtures.py`); colours count as far as the matte goes."""
    fixture = np.load(FIXTURES / f"renderer_{part}.npz", allow_pickle=False)
    crops, wanted = fixture["crops"], fixture["answer"]
    answer = network(crops)
    tolerance = TOLERANCE[network.precision]
    if CONFIGS[part].colours:
        assert np.percentile(np.abs(laid(crops, answer) - laid(crops, wanted)), 99.9) <= tolerance
    assert np.percentile(np.abs(answer - wanted)[..., -1], 99.9) <= tolerance / 100
    assert wanted[..., -1].max() > 0.05  # a network that leaves everything alone would agree as well


@pytest.mark.parametrize("part", CONFIGS)
@pytest.mark.parametrize("runtime", ["openvino", "torch-cpu", "torch-cuda", "tensorrt"])
def test_every_runtime_agrees_with_torch_in_fp32(part: str, runtime: RuntimeName) -> None:
    try:
        network, name = load_network(part, 1, runtime)
    except UnavailableError as error:
        missing = runtime == "tensorrt" and find_spec("tensorrt") is None
        if "MIMICAM_GPU" in os.environ and runtime in ("torch-cuda", "tensorrt") and not missing:  # make test-gpu
            raise
        pytest.skip(str(error))
    assert name == runtime
    check_against_torch(network, part)


@pytest.mark.parametrize("part", CONFIGS)
@pytest.mark.parametrize("precision", ["f32", "i8"])
def test_openvino_agrees_in_the_precisions_of_other_processors(part: str, precision: Precision) -> None:
    check_against_torch(OpenVinoNetwork(load_weights(part), CONFIGS[part], 1, precision), part)


@pytest.mark.parametrize(
    "features, computed, expected",
    [
        ({"avx2": True}, "f32", "i8"),
        ({"avx2": True, "avx512bf16": True}, "bf16", "i8"),
        ({"avx2": True, "amx-bf16": True}, "bf16", "bf16"),
        ({"avx2": True, "amx-bf16": True}, "f32", "i8"),  # an operating system that leaves AMX off
        ({"neon": True}, "f32", "f32"),
    ],
)
def test_precision_is_the_fastest_of_the_processor(
    monkeypatch: pytest.MonkeyPatch, features: dict[str, bool], computed: Precision, expected: Precision
) -> None:
    monkeypatch.setattr(openvino_runtime, "get_host_cpu_features", lambda: features)
    monkeypatch.setattr(openvino_runtime, "native_precision", lambda core: computed)
    weights = load_weights("eye")
    assert best_precision(ov.Core(), weights) == expected
    without_peaks = {name: value for name, value in weights.items() if not name.endswith(PEAK)}
    assert best_precision(ov.Core(), without_peaks) == computed


def test_whole_numbers_need_peaks() -> None:
    weights = {name: value for name, value in load_weights("eye").items() if not name.endswith(PEAK)}
    with pytest.raises(KeyError, match="peak"):
        build_graph(weights, CONFIGS["eye"], 1, "i8")


@pytest.mark.parametrize("part", CONFIGS)
def test_what_is_joined_in_whole_numbers_has_one_step(part: str) -> None:
    """With two OpenVINO joins in f32 and convolves what is behind in f32 too."""
    graph = build_graph(load_weights(part), CONFIGS[part], 1, "i8").graph
    makers = {name: node for node in graph.node for name in node.output}
    values = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}

    def step(name: str) -> float:
        node = makers[name]
        return step(node.input[0]) if node.op_type == "Resize" else float(values[node.input[1]])

    joined = [node for node in graph.node if node.op_type == "Concat" and makers[node.input[0]].op_type == "Resize"]
    assert len(joined) == 3
    assert all(step(node.input[0]) == step(node.input[1]) for node in joined)


@pytest.mark.parametrize("part", CONFIGS)
def test_kernels_in_whole_numbers_leave_room_for_sums_of_two(part: str) -> None:
    """Processors without VNNI add two products with bytes up to 255 in 16 bits."""
    constants = build_graph(load_weights(part), CONFIGS[part], 1, "i8").graph.initializer
    kernels = [value for value in map(numpy_helper.to_array, constants) if value.dtype == np.int8 and value.ndim == 4]
    assert len(kernels) == 8 + 2 * CONFIGS[part].blocks
    assert all(2 * 255 * int(np.abs(kernel.astype(int)).max()) < 2**15 for kernel in kernels)


def test_what_is_0_throughout_has_whole_numbers_too() -> None:
    """A kernel, and a layer's answers."""
    weights, config = load_weights("eye"), CONFIGS["eye"]
    weights["head.weight"] = np.zeros_like(weights["head.weight"])
    weights["up.2" + PEAK] = np.zeros_like(weights["up.2" + PEAK])
    crops = np.zeros((1, config.size_px, config.size_px, config.inputs), np.uint8)
    assert np.isfinite(OpenVinoNetwork(weights, config, 1, "i8")(crops)).all()


def test_openvino_leaves_half_of_the_cores_to_the_kernels() -> None:
    network = OpenVinoNetwork(load_weights("mouth"), CONFIGS["mouth"], 1)
    assert network.threads == max(1, cores() // 2)


class Planes:
    """The graph that TensorRT gets, which takes crops as a GPU's kernel leaves them."""

    precision = "f16"

    def __init__(self, part: str) -> None:
        graph = build_graph(load_weights(part), CONFIGS[part], 1, "f16").SerializeToString()
        self._session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        planes = (crops.transpose(0, 3, 1, 2) / np.float32(127.5) - 1).astype(np.float16)
        return np.asarray(self._session.run(None, {"crops": planes})[0])


@pytest.mark.parametrize("part", CONFIGS)
def test_the_graph_for_gpus_agrees_with_torch_in_fp32(part: str) -> None:
    check_against_torch(Planes(part), part)


@pytest.mark.parametrize("part", PARTS)
def test_several_crops_at_a_time_are_the_same_as_one_by_one(part: str) -> None:
    size = CONFIGS[part].size_px
    crops = np.random.default_rng(0).integers(0, 256, (2, size, size, 10), np.uint8)
    both, one = load_network(part, 2, "openvino")[0], load_network(part, 1, "openvino")[0]
    assert np.allclose(both(crops), np.concatenate([one(crops[:1]), one(crops[1:])]), atol=TOLERANCE["bf16"])


def mean_around(x: NDArray[np.float32], window_px: int) -> NDArray[np.float32]:
    """The mean over a window around each pixel of (h, w, channels), of what lies in the picture."""
    total, count = (
        cv2.boxFilter(v, -1, (window_px, window_px), normalize=False, borderType=cv2.BORDER_CONSTANT)
        for v in (x, np.ones_like(x))
    )
    return (total / count).reshape(x.shape)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("height_px", [0, 10, 20, 60])
def test_a_mouth_that_opens_wide_keeps_the_layers_detail(height_px: int, scale: int) -> None:
    config = CONFIGS["mouth"].enlarged(scale)
    assert config.detail is not None
    crops = np.load(FIXTURES / "renderer_mouth.npz", allow_pickle=False)["crops"].copy()
    crops[..., INSIDE] = 0
    crops[0, 20 : 20 + height_px, 30:66, INSIDE] = 255
    crops = crops.repeat(scale, 1).repeat(scale, 2)
    kept, plain = (
        OpenVinoNetwork(load_weights("mouth"), c, 1, "f32")(crops)[0] for c in (config, replace(config, detail=None))
    )
    inside, warp = crops[0, ..., INSIDE].astype(np.float32) / 255, crops[0, ..., :3].astype(np.float32)
    wide = np.clip((inside.mean() - config.detail.narrow) / (config.detail.wide - config.detail.narrow), 0, 1)
    soft = wide * mean_around(inside, config.detail.rim_px)[..., None]
    fine = warp - mean_around(warp, config.detail.window_px)
    wanted = np.clip(plain[..., :3] + config.detail.share * soft * fine, 0, 255)
    assert np.allclose(kept[..., :3], wanted, atol=0.1)
    assert np.allclose(kept[..., 3:], plain[..., 3:], atol=1e-3)
    assert bool(wide > 0) is (height_px > 12)


def test_weights_that_were_altered_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(weights_folder(), folder)
    load_weights("mouth", folder)
    data = bytearray((folder / "mouth.safetensors").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "mouth.safetensors").write_bytes(data)
    with pytest.raises(DamagedWeightsError, match="has the hash"):
        load_weights("mouth", folder)
    (folder / SUMS).unlink()
    with pytest.raises(DamagedWeightsError, match="No such file"):
        load_weights("mouth", folder)


def test_shipped_weights_stay_small() -> None:
    assert sum(path.stat().st_size for path in weights_folder().glob("*.safetensors")) < 16e6


def test_a_network_that_is_lost_with_its_gpu_changes_nothing_from_then_on() -> None:
    class OnGpu:
        precision, capturable, calls = "f16", True, 0

        def bound(self, *_: int) -> None: ...

        def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
            self.calls += 1
            if self.calls > 1:
                raise RuntimeError("an illegal memory access was encountered")
            return np.ones((*crops.shape[:3], 4), np.float32)

    told, inner, crops = list[str](), OnGpu(), np.zeros((1, 8, 8, 10), np.uint8)
    network = Losable(inner, 4, told.append)
    assert isinstance(network, StreamNetwork)
    assert network(crops).min() == 1
    assert not network(crops)[..., 3].any()
    assert not network(crops)[..., 3].any()
    assert (inner.calls, len(told)) == (2, 1)
    assert "illegal memory access" in told[0]

"""The networks: weights that are checked, runtimes that agree, crops that come back to their place."""

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
from conftest import performance
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.capture.synthetic import SyntheticCamera
from engine.config import RunConfig
from engine.errors import ConfigError
from engine.face.pose import Pose, rotation_from_euler
from engine.face.reference import reference_face
from engine.face.retarget import Target
from engine.live.frame import Frame
from engine.live.meter import Meter
from engine.live.pipeline import Pipeline
from engine.machine import cores
from engine.names import CropsName
from engine.output.null import NullSink
from engine.output.stage import OutputStage
from engine.puppet.format import Puppet
from engine.render import generator as generator_module
from engine.render.crops import PLACES, Place, crop_matrix, draw_geometry, to_crop
from engine.render.generator import PARTS, Networks, load_networks, networks_on, scale_of
from engine.render.photograph import Photograph
from engine.render.portrait import Portrait
from engine.render.portrait_view import PortraitView
from engine.render.quality import LADDER
from engine.render.scene import Scene
from engine.switchboard import Switchboard
from engine.track.tracker import Tracked, Tracker
from kernels.crop_normalise.cpu import crop, crop_normalise
from kernels.lay_back.cpu import lay_back
from models import openvino_runtime, runtimes
from models.config import CONFIGS
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
PLACE = st.sampled_from(PLACES)
INSIDE = 3  # channel of a mouth's crop: what the inner lips surround


def face(yaw: float = 0, roll: float = 0, scale: float = 80.0, middle: tuple[float, float] = (128, 128)) -> Target:
    pose = Pose(rotation_from_euler(yaw, 0, roll), np.array([*middle, 0], np.float32), scale)
    return Target(pose.apply(reference_face().mean), pose)


def smooth_picture(side: int = 256) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(3).integers(0, 256, (side // 16, side // 16, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


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
        build_graph(weights, CONFIGS["eye"], 1, whole=True)


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
        graph = build_graph(load_weights(part), CONFIGS[part], 1, half=True).SerializeToString()
        self._session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        planes = (crops.transpose(0, 3, 1, 2) / np.float32(127.5) - 1).astype(np.float16)
        return np.asarray(self._session.run(None, {"crops": planes})[0])


@pytest.mark.parametrize("part", CONFIGS)
def test_the_graph_for_gpus_agrees_with_torch_in_fp32(part: str) -> None:
    check_against_torch(Planes(part), part)


@pytest.fixture
def in_torch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Networks of a GPU that is not there, by name."""
    asked: list[str] = []

    def load(part: str, count: int, runtime: str, tell: object, scale: int) -> tuple[Network, str]:
        asked.append(runtime)
        return load_network(part, count, "openvino", scale=scale)[0], runtime

    monkeypatch.setattr("engine.render.generator.load_network", load)
    return asked


def test_what_a_gpu_draws_is_redrawn_in_its_memory(in_torch: list[str]) -> None:
    others = Networks({}, "openvino")
    found = networks_on("gpu", "auto", others, print, 2)
    assert found is not None
    assert (found.runtime, set(in_torch)) == ("torch-cuda", {"torch-cuda"})
    assert str(found).endswith("crops of 2 times the size")
    assert "times" not in str(networks_on("gpu", "auto", others, print, 1))
    for device, runtime in (
        ("gpu", "openvino"),
        ("gpu", "tensorrt"),
        ("gpu", "none"),
        ("cpu", "auto"),
        ("emulated", "auto"),
    ):
        assert networks_on(device, runtime, others, print, 1) is others


def test_without_torch_on_a_gpu_others_redraw_and_why_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*arguments: object) -> Network:
        raise UnavailableError("torch finds no CUDA device")

    monkeypatch.setitem(runtimes.RUNTIMES, "torch-cuda", missing)
    others, told = Networks({}, "openvino"), list[str]()
    assert networks_on("gpu", "auto", others, told.append, 2) is others
    assert told == ["networks on the CPU: torch-cuda: torch finds no CUDA device"]


@pytest.mark.parametrize(("crops", "on_cpu", "on_gpu"), [("auto", 1, 2), ("small", 1, 1), ("large", 2, 2)])
def test_crops_are_as_large_as_asked_for(crops: CropsName, on_cpu: int, on_gpu: int) -> None:
    assert [scale_of(crops, runtime) for runtime in ("auto", "openvino")] == [on_cpu] * 2
    assert [scale_of(crops, runtime) for runtime in ("torch-cuda", "tensorrt")] == [on_gpu] * 2


@pytest.mark.parametrize(("crops", "on_cpu", "on_gpu"), [("auto", 1, 2), ("small", 1, 1), ("large", 2, 2)])
def test_a_run_on_a_gpu_loads_crops_as_asked_for(
    monkeypatch: pytest.MonkeyPatch, crops: CropsName, on_cpu: int, on_gpu: int
) -> None:
    asked: set[tuple[str, int]] = set()

    def load(part: str, count: int, runtime: str, tell: object, scale: int) -> tuple[Network, str]:
        asked.add((runtime, scale))
        return load_network(part, count, "openvino", scale=scale)[0], "openvino" if runtime == "auto" else runtime

    monkeypatch.setattr("engine.render.generator.load_network", load)
    monkeypatch.setattr("engine.switchboard.open_device", lambda name: None)  # nothing is drawn
    Switchboard(RunConfig(device="gpu", size=(640, 360), crops=crops))
    assert asked == {("auto", on_cpu), ("openvino", on_cpu), ("torch-cuda", on_gpu)}


def test_a_run_draws_in_large_crops() -> None:
    """They are other pictures, of the same mouth."""
    small, large = (
        Switchboard(RunConfig(runtime="openvino", size=(640, 360), crops=crops)).scene for crops in ("small", "large")
    )
    assert (small.runtime, large.runtime.startswith(f"{small.runtime}, crops of 2")) == (small.runtime, True)
    shout = performance({"jawOpen": 0.8})
    away = np.abs(small.draw(shout).astype(int) - large.draw(shout)).max(2)
    assert 0 < (away > 3).mean() < 0.02


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


def test_a_runtime_asked_for_by_name_has_no_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is missing, and one that breaks as it is loaded."""

    def missing(*arguments: object) -> Network:
        raise ImportError("No module named 'torch'")

    def broken(*arguments: object) -> Network:
        raise RuntimeError("libtbb.so.12: cannot open shared object file")

    monkeypatch.setitem(runtimes.RUNTIMES, "torch-cpu", missing)
    monkeypatch.setitem(runtimes.RUNTIMES, "openvino", broken)
    with pytest.raises(ConfigError, match="torch-cpu: No module named 'torch'"):
        load_networks("torch-cpu")
    told: list[str] = []
    assert load_networks("auto", told.append) is None
    assert "libtbb" in told[0]
    assert "torch" in told[0]
    assert load_networks("none") is None


def test_damaged_weights_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*arguments: object) -> None:
        raise DamagedWeightsError("mouth.safetensors has the hash 1, wanted is 2")

    monkeypatch.setattr(generator_module, "load_network", damaged)
    with pytest.raises(ConfigError, match="Reinstall mimicam, or use --runtime none"):
        load_networks("auto")


@given(PLACE, st.floats(-30, 30), st.floats(-40, 40), st.floats(40, 300))
@settings(max_examples=60, deadline=None)
def test_a_crop_shows_its_part_upright_whatever_the_head_does(
    place: Place, yaw: float, roll: float, scale: float
) -> None:
    target = face(yaw, roll, scale)
    points = to_crop(target.landmarks_px, crop_matrix(place, target, 96))
    straight = to_crop(face().landmarks_px, crop_matrix(place, face(), 96))
    assert np.allclose(points[place.anchor].mean(0), straight[place.anchor].mean(0), atol=0.6)
    corners = points[[33, 263]] if not place.mirrored else points[[263, 33]]
    assert corners[1, 0] > corners[0, 0]
    assert abs(corners[1, 1] - corners[0, 1]) < 12  # upright but for what perspective-free yaw leaves


@given(PLACE, st.floats(-20, 20), st.floats(60, 260))
@settings(max_examples=30, deadline=None)
def test_what_is_cut_out_and_laid_back_is_the_picture(place: Place, roll: float, scale: float) -> None:
    """Smooth pictures survive crop and paste within what two bilinear samplings blur."""
    picture, target = smooth_picture(), face(0, roll, scale)
    matrix = crop_matrix(place, target, 96)
    drawn = np.dstack([crop(picture, matrix, 96).astype(np.float32), np.ones((96, 96), np.float32)])
    result = picture.copy()
    lay_back(result, drawn[None], drawn[None, ..., :3].astype(np.uint8), matrix[None], 0.5)
    assert np.percentile(np.abs(result.astype(int) - picture), 99) <= 4 + 0.03 * scale
    assert result.mean() == pytest.approx(picture.mean(), abs=0.1)  # nothing is shifted, no edge is darkened


@given(st.floats(0.3, 3.0))
@settings(max_examples=20, deadline=None)
def test_stretch_is_the_logarithm_of_the_area(factor: float) -> None:
    """A warp that enlarges by `factor` shows each pixel's area shrunk by its square."""
    y, x = np.mgrid[0:256, 0:256].astype(np.float32)
    backward = np.dstack([x, y]) / np.float32(factor)
    target = face(scale=80)
    place = PLACES[0]
    matrix = crop_matrix(place, target, 96)
    nothing, unit = np.zeros((1, 96, 96, 3), np.uint8), np.array([place.span * 80 / 96], np.float32)
    crops = np.empty((1, 96, 96, 10), np.uint8)
    crop_normalise(np.zeros((256, 256, 3), np.uint8), backward, matrix[None], nothing, nothing, unit, crops)
    found = crops[0, ..., 9]
    wanted = 128 + np.clip(-2 * np.log2(factor), -2, 2) * 127 / 2
    assert np.abs(found[30:60, 30:60].astype(float) - wanted).max() <= 2


def test_drawings_hold_what_they_say() -> None:
    target = face()
    for place in PLACES:
        drawing = draw_geometry(place, target, crop_matrix(place, target, 96), 96)
        assert drawing.shape == (96, 96, 3)
        shut = place.part == "mouth"  # the mean face's lips touch
        assert all(drawing[..., channel].max() > 200 for channel in range(int(shut), 3))


class Painter:
    """A network that paints its whole crop red."""

    precision = "f32"

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        answer = np.zeros((*crops.shape[:3], 4), np.float32)
        answer[..., 2:] = (255, 1)
        return answer


def test_networks_redraw_the_part_and_the_governor_can_leave_them_out(bruno: Puppet) -> None:
    reference = bruno.references[0]
    networks = Networks({"mouth": Painter()}, "torch-cpu")
    portrait = Portrait(Photograph(reference.picture, reference.landmarks_px), networks)
    shout = performance({"jawOpen": 0.92})
    plain, target = Portrait(Photograph(reference.picture, reference.landmarks_px)).draw(shout)
    x, y = target.landmarks_px[13, :2].round().astype(int)
    for quality in LADDER:
        picture, _ = portrait.draw(shout, quality)
        red = picture[y, x, 2] > 190 and picture[y, x, :2].max() < 90  # the picture's own detail lies on top
        assert bool(red) is quality.generator
    forehead = tuple(target.landmarks_px[10, :2].round().astype(int))[::-1]
    assert np.array_equal(portrait.draw(shout)[0][forehead], plain[forehead])


def test_the_shipped_networks_draw_a_mouth_and_leave_the_rest(bruno: Puppet) -> None:
    reference = bruno.references[0]
    networks = load_networks("openvino")
    shout = performance({"jawOpen": 0.81})
    warp, target = Portrait(Photograph(reference.picture, reference.landmarks_px)).draw(shout)
    drawn, _ = Portrait(Photograph(reference.picture, reference.landmarks_px), networks).draw(shout)
    change = np.abs(drawn.astype(int) - warp).max(2)
    x, y = target.landmarks_px[13, :2].round().astype(int)
    unit = round(target.pose.scale)
    assert change[y : y + unit // 4, x - unit // 8 : x + unit // 8].mean() > 8
    crops = np.zeros(change.shape, np.uint8)
    for place in PLACES:
        matrix = crop_matrix(place, target, 96)
        corners = np.array([(-1, -1), (96, -1), (96, 96), (-1, 96)]) @ matrix[:, :2].T + matrix[:, 2]
        cv2.fillConvexPoly(crops, corners.round().astype(np.int32), 1)
    assert change[cv2.dilate(crops, np.ones((5, 5), np.uint8)) == 0].max() == 0


class NeverIdle(Scene):
    """A scene to which a slow machine is no silence."""

    def idle(self, now_s: float) -> None:
        """Show nothing."""


def test_the_live_loop_shows_what_is_rendered_offline(bruno: Puppet, demo_frames: list[NDArray[np.uint8]]) -> None:
    """Networks on: the same tracked frames through a fresh scene give the same pictures, to the bit."""
    tracker, tracked = Tracker(), dict[int, Tracked]()
    shown: list[Frame] = []

    class Remember(NullSink):
        wants_repeats = False

        def send(self, frame: Frame) -> None:
            shown.append(frame)

    def track(frame: Frame) -> Tracked:
        tracked[frame.index] = tracker(frame)
        return tracked[frame.index]

    camera = SyntheticCamera("ok*12", demo_frames, 20.0)
    scene = NeverIdle(PortraitView(bruno, 320, 180, networks=load_networks("openvino")))
    Pipeline(camera, track, scene, OutputStage([Remember()], 20.0), Meter()).run(30)
    tracker.close()
    offline = Scene(PortraitView(bruno, 320, 180, networks=load_networks("openvino")))
    assert len(shown) > 1
    for frame in shown:
        assert np.array_equal(offline(tracked[frame.index]).frame.bgr, frame.bgr)


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

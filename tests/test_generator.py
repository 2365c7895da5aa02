"""The generator: networks chosen for a run, crops that come back to their place, the loop that shows them."""

from __future__ import annotations

import cv2
import numpy as np
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
from engine.names import CropsName
from engine.output.null import NullSink
from engine.output.stage import OutputStage
from engine.puppet.format import Puppet
from engine.render import generator as generator_module
from engine.render.crops import PLACES, Place, crop_matrix, draw_geometry, to_crop
from engine.render.generator import Networks, load_networks, networks_on, scale_of
from engine.render.photograph import Photograph
from engine.render.portrait import Portrait
from engine.render.portrait_view import PortraitView
from engine.render.quality import LADDER
from engine.render.scene import Scene
from engine.switchboard import Switchboard
from engine.track.tracker import Tracked, Tracker
from kernels.crop_normalise.cpu import crop, crop_normalise
from kernels.lay_back.cpu import lay_back
from models import runtimes
from models.runtimes import Network, UnavailableError, load_network
from models.weights import DamagedWeightsError

PLACE = st.sampled_from(PLACES)


def face(yaw: float = 0, roll: float = 0, scale: float = 80.0, middle: tuple[float, float] = (128, 128)) -> Target:
    pose = Pose(rotation_from_euler(yaw, 0, roll), np.array([*middle, 0], np.float32), scale)
    return Target(pose.apply(reference_face().mean), pose)


def smooth_picture(side: int = 256) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(3).integers(0, 256, (side // 16, side // 16, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


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

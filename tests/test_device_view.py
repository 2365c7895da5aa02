"""Mode portrait on a device: the same picture as the CPU's, sealed there, and a device that fails is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import performance
from devices import GPU_RUNTIMES, device_named, gpu, needs_compiler, on_devices
from numpy.typing import NDArray
from rich.console import Console

from benchmarks import device as device_benchmark
from engine.config import read_config
from engine.errors import ConfigError
from engine.face import landmarks as lm
from engine.puppet.format import Puppet
from engine.render.device import open_device
from engine.render.device_portrait import DevicePortraitView
from engine.render.frame_table import FrameTable
from engine.render.generator import LARGE, PARTS, Networks, load_networks, places_of
from engine.render.modes import Stage, open_view
from engine.render.patch import Patch
from engine.render.portrait_view import PortraitView
from engine.render.quality import LADDER, Quality
from engine.render.scene import Scene
from engine.render.view import Shown
from engine.trust.badge import Badge
from engine.trust.chips import Key
from engine.trust.seal import Seal
from kernels.composite.cuda import composite_placed
from kernels.device import Device, DeviceError, uploaded
from kernels.registry import load
from models.runtimes import RuntimeName, load_network

WIDTH, HEIGHT = 640, 360
PERFORMANCES = [
    performance(),
    performance({"jawOpen": 0.7, "mouthSmileLeft": 0.5}, (20, -8, 5)),
    performance({"eyeBlinkLeft": 1, "eyeBlinkRight": 1, "browInnerUp": 0.8}, (-25, 6, -4), (0.1, 0, 0), 1.1),
    performance({"eyeLookOutLeft": 0.8, "eyeLookInRight": 0.8, "mouthPucker": 0.6}),
]


def networks() -> Networks:
    found = load_networks("openvino")
    assert found is not None
    return found


def large_crops() -> Networks:
    """In crops as a GPU's networks draw in."""
    by_part = {part: load_network(part, len(places_of(part)), "openvino", scale=LARGE)[0] for part in PARTS}
    return Networks(by_part, "openvino", LARGE)


def views(puppet: Puppet, device: Device, drawn_by: Networks | None) -> tuple[PortraitView, DevicePortraitView]:
    plain, other = (PortraitView(puppet, WIDTH, HEIGHT, networks=drawn_by) for _ in range(2))
    return plain, DevicePortraitView(other, device, drawn_by)


def seal() -> Seal:
    badge = Badge.of("made by mimicam", "bottom-right", WIDTH, HEIGHT)
    return Seal.of(Key(bytes(32)), 7, WIDTH, HEIGHT, badge)


def differing(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Share of the pixels that are more than two grey levels apart."""
    return float((np.abs(a.astype(int) - b).max(2) > 2).mean())


@on_devices
@pytest.mark.parametrize("quality", [LADDER[0], replace(LADDER[0], smooth_edges=False, generator=False)])
@pytest.mark.parametrize("drawn_by", [None, networks, large_crops], ids=["warp alone", "networks", "large crops"])
def test_the_picture_is_the_cpus(
    implementation: str, drawn_by: Callable[[], Networks] | None, quality: Quality, bruno: Puppet
) -> None:
    """Two grey levels in 99.9 % of the pixels: a network's answer to crops that are rounded otherwise differs a little."""
    cpu, view = views(bruno, device_named(implementation), drawn_by and drawn_by())
    for shown in (Shown(p, 0.0) for p in PERFORMANCES):
        expected, found = cpu.draw(shown, quality), view.draw(shown, quality)
        assert differing(expected, found) <= 0.001
        for contour in (lm.EYE_LEFT, lm.EYE_RIGHT, lm.LIPS_OUTER):  # an iris is less than a thousandth of the picture
            points = cpu.placed(shown.performance).landmarks_px[contour, :2].astype(int)
            (x0, y0), (x1, y1) = points.min(0) - 2, points.max(0) + 3
            assert np.abs(expected[y0:y1, x0:x1].astype(int) - found[y0:y1, x0:x1]).mean() <= 1
    assert view.drawn_on != "cpu"


@pytest.mark.gpu
@pytest.mark.timeout(900)  # engines are built first
@pytest.mark.skipif(gpu() is None, reason="no GPU, or no PyCUDA")
@pytest.mark.parametrize("runtime", GPU_RUNTIMES)
def test_networks_in_the_gpus_memory_draw_what_they_draw_from_the_cpu(runtime: RuntimeName, bruno: Puppet) -> None:
    drawn_by = load_networks(runtime, scale=LARGE)
    device = gpu()
    assert drawn_by is not None
    assert device is not None
    cpu, view = views(bruno, device, drawn_by)
    for shown in (Shown(p, 0.0) for p in PERFORMANCES):
        assert differing(cpu.draw(shown), view.draw(shown)) <= 0.001
    assert view.drawn_on == device.name


@on_devices
def test_a_sealed_picture_is_the_cpus_with_its_seal(implementation: str, bruno: Puppet) -> None:
    cpu, view = views(bruno, device_named(implementation), None)
    first, second = seal(), replace(seal(), badge=None)
    for each in (first, second, first):  # what was recorded for one seal is not used for another
        for p in PERFORMANCES[:2]:
            shown = Shown(p, 0.0)
            expected = cpu.draw(shown).copy()
            each.set(expected)
            assert differing(expected, view.draw_sealed(shown, LADDER[0], each)) <= 0.001
    assert differing(cpu.draw(shown), view.draw(shown)) <= 0.001  # nothing of a seal stays on the device


@on_devices
def test_a_scene_shows_and_fades_views_of_a_device(implementation: str, bruno: Puppet, ada: Puppet) -> None:
    device = device_named(implementation)
    scenes = []
    for on in (None, device):
        stage = Stage((WIDTH, HEIGHT), device=on)
        scene = Scene(open_view("portrait", bruno, stage), seal=seal())
        pictures = [scene._show(PERFORMANCES[1], None, 0.0)]
        scene.show(open_view("portrait", ada, stage), seal())
        pictures += [scene._show(PERFORMANCES[1], None, t) for t in (0.1, 0.3, 0.9)]
        scenes.append([p.frame.bgr for p in pictures])
        assert scene.drawn_on == ("cpu" if on is None else device.name)
    for expected, found in zip(*scenes, strict=True):
        assert differing(expected, found) <= 0.002  # two pictures in a fade
    assert differing(scenes[0][0], scenes[0][-1]) > 0.2


class Failing:
    """A device that does as another one until it fails."""

    name = "failing"

    def __init__(self, device: Device) -> None:
        self._device, self.broken = device, ""

    def __getattr__(self, name: str) -> Any:
        if name == self.broken:
            raise DeviceError(f"{name}: the GPU fell off the bus")
        return getattr(self._device, name)


@on_devices
@pytest.mark.parametrize("broken", ["upload", "launch", "download"])
def test_a_device_that_fails_is_left_for_the_cpu(implementation: str, broken: str, bruno: Puppet) -> None:
    device, told = Failing(device_named(implementation)), []
    cpu = PortraitView(bruno, WIDTH, HEIGHT)
    view = DevicePortraitView(PortraitView(bruno, WIDTH, HEIGHT), device, None, told.append)
    device.broken = broken
    shown = Shown(PERFORMANCES[1], 0.0)
    for _ in range(2):
        assert np.array_equal(view.draw(shown), cpu.draw(shown))
    assert told == [f"drawing on the CPU from now on: {broken}: the GPU fell off the bus"]
    assert view.drawn_on == "cpu"


@on_devices
def test_a_device_without_room_is_not_used(implementation: str, bruno: Puppet) -> None:
    device, told = Failing(device_named(implementation)), []
    device.broken = "empty"
    view = open_view("portrait", bruno, Stage((WIDTH, HEIGHT), device=device, tell=told.append))
    assert isinstance(view, PortraitView)
    assert told == ["drawing on the CPU: empty: the GPU fell off the bus"]


@on_devices
def test_puppets_that_a_device_can_not_draw_yet_are_drawn_by_the_cpu(implementation: str, bruno: Puppet) -> None:
    told: list[str] = []
    several = replace(bruno, references=bruno.references * 2)
    view = open_view("portrait", several, Stage((WIDTH, HEIGHT), device=device_named(implementation), tell=told.append))
    assert isinstance(view, PortraitView)
    assert "several photographs" in told[0]


@on_devices
def test_a_table_holds_what_was_put_into_it(implementation: str) -> None:
    device, random = device_named(implementation), np.random.default_rng(1)
    table = FrameTable(device, {"a": ((3, 2), np.float32), "b": ((5,), np.uint8)}, 3000)
    for _ in range(2):
        a, b = random.normal(0, 1, (3, 2)).astype(np.float32), random.integers(0, 256, 5).astype(np.uint8)
        table.upload({"a": a, "b": b}, [])
        assert np.array_equal(device.download(table.on_device("a")), a)
        assert np.array_equal(device.download(table.on_device("b")), b)
        assert not device.download(table.on_device("places"))["rows"].any()
    layer = random.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    patch = Patch(layer, layer[..., 0].copy(), 4, -3)
    table.upload({}, [patch])
    (place, *rest) = device.download(table.on_device("places"))
    assert (place["rows"], place["columns"], place["left"], place["top"]) == (20, 30, 4, -3)
    assert [row["rows"] for row in rest] == [0, 0]
    with pytest.raises(ValueError, match="patches of more than 3000 bytes"):
        table.upload({}, [patch, patch])


@on_devices
def test_a_layer_is_laid_where_memory_says(implementation: str) -> None:
    device, random = device_named(implementation), np.random.default_rng(2)
    canvas = random.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    table = FrameTable(device, {}, 4 * 40 * 50)
    layers = [random.integers(0, 256, (h, w, 3)).astype(np.uint8) for h, w in ((12, 17), (32, 16), (5, 4))]
    patches = [
        Patch(p, p[..., 1].copy(), left, top)
        for p, (left, top) in zip(layers, ((-5, 30), (16, 3), (48, 38)), strict=True)
    ]
    table.upload({}, patches)
    there = uploaded(device, canvas)
    for index, patch in enumerate(patches):
        composite_placed(device, there, table.memory, table.on_device("places"), index)
        load("composite", "reference")(canvas, patch.bgr, patch.matte, patch.left, patch.top)
    assert np.array_equal(device.download(there), canvas)


def test_a_device_that_is_not_there_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_device("cpu") is None
    monkeypatch.setattr(
        "kernels.gpu._driver", lambda: (_ for _ in ()).throw(DeviceError("PyCUDA can't be used: no driver"))
    )
    with pytest.raises(ConfigError, match=r"--device gpu.*no driver.*--device cpu"):
        open_device("gpu")
    with pytest.raises(ConfigError, match="device"):
        read_config(None, {"device": "abacus"})


@pytest.mark.timeout(300)  # two processes start from nothing
@needs_compiler
def test_streams_are_measured() -> None:
    setting = device_benchmark.Setting("emulated", "none", (160, 96), rate_hz=20, frames=6)
    result = device_benchmark.run(setting, 2, Console(quiet=True))
    assert result["one"]["device"] == "emulated"
    assert "gpu_work" not in result["one"]  # nothing of a GPU is claimed without one
    assert result["several"]["streams"] == len(result["several"]["each"]) == 2
    assert result["several"]["all"]["p50_ms"] > 0

"""`kernels/gpu.py` on a played GPU: contexts, copies, launches and graphs are used as the driver wants them."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable

import numpy as np
import pytest
from conftest import performance
from devices import needs_compiler
from fake_cuda import HANDLE, FakeDriver, FakeGraphs, compiled

from engine import doctor
from engine.puppet.format import Puppet
from engine.render.device_networks import on_device
from engine.render.device_portrait import DevicePortraitView
from engine.render.generator import Networks, load_networks
from engine.render.modes import Stage, open_view
from engine.render.portrait_view import PortraitView
from engine.render.quality import LADDER
from engine.render.scene import Scene
from engine.render.view import Shown
from kernels.device import DeviceError, OutOfMemoryError, uploaded
from kernels.gpu import SLOTS, Gpu
from kernels.registry import load
from kernels.soften_edges.cuda import soften_edges
from models.config import CONFIGS

pytestmark = needs_compiler


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    fake = FakeDriver()
    monkeypatch.setattr("kernels.gpu._driver", lambda: fake)
    monkeypatch.setattr("kernels.gpu.compiled", compiled)
    graphs = FakeGraphs(fake)
    monkeypatch.setattr("kernels.gpu._graph_driver", lambda: graphs)
    fake.graphs = graphs  # type: ignore[attr-defined]
    return fake


def test_what_goes_up_comes_down(driver: FakeDriver) -> None:
    """More uploads than slots, none of them waited for: each arrives as it was when it was asked for."""
    gpu, random = Gpu(), np.random.default_rng(1)
    arrays = [random.integers(0, 256, (n, 7), np.uint8) for n in range(1, 3 * SLOTS)]
    buffers = []
    for array in arrays:
        buffers.append(gpu.empty(array.shape, array.dtype))
        changing = array.copy()
        gpu.upload(changing, buffers[-1])
        changing[:] = 0
    for array, buffer in zip(arrays, buffers, strict=True):
        assert np.array_equal(gpu.download(buffer), array)


@pytest.mark.parametrize("kernel", ["sample", "composite", "match_colour"])
def test_kernels_run_in_any_thread(driver: FakeDriver, kernel: str) -> None:
    gpu, random, failed = Gpu(), np.random.default_rng(2), []
    picture = random.integers(0, 256, (20, 30, 3), np.uint8)
    arguments = {
        "sample": lambda: (picture, random.uniform(0, 20, (9, 8, 2)).astype(np.float32), np.zeros((9, 8, 3), np.uint8)),
        "composite": lambda: (picture.copy(), picture[::-1].copy(), picture[..., 0].copy(), 2, 3),
        "match_colour": lambda: (
            picture,
            random.uniform(0, 255, (5, 5, 5, 3)).astype(np.float32),
            np.zeros_like(picture),
        ),
    }[kernel]()

    def run() -> None:
        expected, found = ([a.copy() if isinstance(a, np.ndarray) else a for a in arguments] for _ in range(2))
        load(kernel, "reference")(*expected)
        load(kernel, "cuda", gpu)(*found)
        pairs = [(e, f) for e, f in zip(expected, found, strict=True) if isinstance(e, np.ndarray)]
        if not all(np.allclose(e, f, atol=1) for e, f in pairs):
            failed.append(kernel)

    for target in (run, lambda: _in_a_thread(run)):
        target()
    assert not failed


def _in_a_thread(run: Callable[[], None]) -> None:
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def test_a_graph_does_again_what_was_launched(driver: FakeDriver) -> None:
    gpu, random = Gpu(), np.random.default_rng(3)
    pictures = [random.integers(0, 256, (12, 16, 3), np.uint8) for _ in range(2)]
    backward = uploaded(gpu, random.uniform(0, 40, (12, 16, 2)).astype(np.float32))
    source, out, copy = (gpu.empty((12, 16, 3), np.uint8) for _ in range(3))

    def launches() -> None:
        soften_edges(gpu, source, backward, 5.0, out)
        gpu.copy(out, copy)

    gpu.upload(pictures[0], source)
    launches()
    first = gpu.download(copy)
    work = gpu.recorded(launches)
    for picture in (pictures[1], pictures[0]):
        gpu.upload(picture, source)
        work()
        expected = np.empty_like(picture)
        load("soften_edges", "reference")(picture, gpu.download(backward), 5.0, expected)
        assert np.array_equal(gpu.download(copy), expected)
    assert np.array_equal(gpu.download(copy), first)
    assert driver.graphs.launched == 2  # type: ignore[attr-defined]
    assert gpu.times_ms(work, 4) == [1.5] * 4


def test_a_whole_picture_takes_one_upload_one_graph_and_one_download(driver: FakeDriver, bruno: Puppet) -> None:
    cpu, gpu = PortraitView(bruno, 320, 180), Gpu()
    view = DevicePortraitView(PortraitView(bruno, 320, 180), gpu)
    for p in (performance(), performance({"jawOpen": 0.6}, (15, 5, 0)), performance()):
        expected, found = cpu.draw(Shown(p, 0.0)), view.draw(Shown(p, 0.0))
        assert (np.abs(expected.astype(int) - found).max(2) > 2).mean() <= 0.001
    assert driver.graphs.launched == 2  # type: ignore[attr-defined]  # the first picture is drawn before there is one
    assert view.drawn_on == "Fake GPU"


def test_no_memory_and_a_lost_gpu_have_names(driver: FakeDriver, bruno: Puppet) -> None:
    gpu = Gpu()
    with pytest.raises(OutOfMemoryError, match="Fake GPU has no memory left"):
        gpu.empty((1 << 31,), np.uint8)
    view, told = DevicePortraitView(PortraitView(bruno, 320, 180), gpu), []
    view._tell = told.append
    view.draw(Shown(performance(), 0.0))
    driver.lost = True
    assert view.draw(Shown(performance(), 0.0)).shape == (180, 320, 3)
    assert told == ["drawing on the CPU from now on: Fake GPU failed: the GPU fell off the bus"]
    with pytest.raises(DeviceError, match="fell off the bus"):
        gpu.synchronize()
    with pytest.raises(DeviceError, match="no GPU can be used"):
        Gpu()
    driver.lost = False
    with pytest.raises(DeviceError, match="GPU 3 was wanted, 1 found"):
        Gpu(3)


def test_arrays_with_gaps_are_not_copied(driver: FakeDriver) -> None:
    gpu = Gpu()
    buffer = gpu.empty((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="without gaps"):
        gpu.download(buffer.part(0, 0, 4, 4))
    with pytest.raises(ValueError, match="without gaps"):
        gpu.upload(np.zeros((9, 8, 3), np.uint8), buffer)


def test_the_doctor_names_the_gpu(driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.doctor.nvidia_driver_found", lambda: True)
    assert doctor._gpu().good
    assert doctor._gpu().found == "Fake GPU, 1 GB, driver for CUDA 13.1"
    driver.lost = True
    assert not doctor._gpu().good
    assert "fell off the bus" in doctor._gpu().found


class Drawing:
    """A network that works in the GPU's memory, until it doesn't."""

    precision, capturable = "f16", True

    def __init__(self) -> None:
        self.failing = False

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        raise AssertionError("its crops are on the GPU")

    def bound(self, crops_address: int, drawn_address: int, stream: int) -> Callable[[], None]:
        assert stream == HANDLE

        def queue() -> None:
            if self.failing:
                raise ValueError("no engine")

        return queue


@pytest.mark.parametrize("when", ["bound", "queued"])
def test_a_network_that_fails_on_the_gpu_is_a_device_error(driver: FakeDriver, when: str) -> None:
    network, gpu = Drawing(), Gpu()
    if when == "bound":
        network.bound = lambda *addresses: [][1]  # type: ignore[method-assign]
        with pytest.raises(DeviceError, match="a network failed: IndexError"):
            on_device(network, CONFIGS["eye"], 2, gpu)
        return
    ready = on_device(network, CONFIGS["eye"], 2, gpu)
    assert ready.capturable
    assert (ready.crops.shape, ready.crops.dtype) == ((2, 10, 64, 64), np.float16)
    ready.queue()
    network.failing = True
    for _ in range(2):
        with pytest.raises(DeviceError, match="a network failed: ValueError: no engine"):
            ready.queue()


def test_a_network_is_kept_as_long_as_it_is_queued(driver: FakeDriver) -> None:
    """A recorded graph reads weights where they lay, and nothing but the view may hold the network."""

    class Recorded(Drawing):
        def bound(self, crops_address: int, drawn_address: int, stream: int) -> Callable[[], None]:
            return lambda: None

    network = Recorded()
    seen = weakref.ref(network)
    ready = on_device(network, CONFIGS["eye"], 2, Gpu())
    del network
    gc.collect()
    assert seen() is ready.network


def test_threads_take_turns(driver: FakeDriver, bruno: Puppet, ada: Puppet) -> None:
    """The main thread opens a view while the render thread draws another one."""
    gpu = Gpu()
    view = DevicePortraitView(PortraitView(bruno, 160, 90), gpu)
    shown = Shown(performance(), 0.0)
    expected = view.draw(shown)
    opened: list[DevicePortraitView] = []

    def open_another() -> None:
        for puppet in (ada, bruno):
            opened.append(DevicePortraitView(PortraitView(puppet, 160, 90), gpu))
            opened[-1].rehearse(LADDER[0])

    thread = threading.Thread(target=open_another)
    thread.start()
    for _ in range(20):
        assert np.array_equal(view.draw(shown), expected)
    thread.join()
    assert np.array_equal(opened[1].draw(shown), expected)


def test_memory_is_freed_whoever_lets_go_of_it(driver: FakeDriver) -> None:
    """In a thread that has no context the driver could not free it."""
    gpu = Gpu()
    before = driver._left
    kept = [gpu.empty((1000, 1000), np.uint8) for _ in range(5)]
    assert driver._left == before - 5_000_000
    _in_a_thread(kept.clear)
    assert driver._left == before - 5_000_000
    gpu.synchronize()
    assert driver._left == before


def test_networks_that_were_lost_with_the_gpu_are_not_asked_any_more(driver: FakeDriver, bruno: Puppet) -> None:
    lost = Networks({"mouth": Drawing(), "eye": Drawing()}, "tensorrt")
    gpu, told = Gpu(), []
    view = DevicePortraitView(PortraitView(bruno, 320, 180, networks=lost), gpu, lost, told.append)
    driver.lost = True
    alone = PortraitView(bruno, 320, 180).draw(Shown(performance(), 0.0))
    for _ in range(2):
        assert np.array_equal(view.draw(Shown(performance(), 0.0)), alone)
    assert len(told) == 1
    driver.lost = False


def test_networks_of_the_cpu_take_over_when_the_gpu_is_lost(driver: FakeDriver, bruno: Puppet) -> None:
    kept = load_networks("openvino")
    gpu, told = Gpu(), list[str]()
    stage = Stage(
        (320, 180), kept, device=gpu, device_networks=Networks({"mouth": Drawing()}, "torch-cuda"), tell=told.append
    )
    scene = Scene(open_view("portrait", bruno, stage), "openvino", device_runtime="torch-cuda")
    assert (scene.drawn_on, scene.runtime) == ("Fake GPU", "torch-cuda")
    driver.lost = True
    shown = Shown(performance({"jawOpen": 0.7}), 0.0)
    expected, bare = (PortraitView(bruno, 320, 180, networks=n).draw(shown) for n in (kept, None))
    assert np.array_equal(scene._view.draw(shown, LADDER[0]), expected)
    assert not np.array_equal(expected, bare)
    assert (scene.drawn_on, scene.runtime) == ("cpu", "openvino")
    driver.lost = False


def test_what_came_down_stays_while_anybody_looks_at_it(driver: FakeDriver) -> None:
    gpu, random = Gpu(), np.random.default_rng(4)
    pictures = [random.integers(0, 256, (6, 5, 3), np.uint8) for _ in range(3)]
    down = [gpu.download(uploaded(gpu, picture)) for picture in pictures]
    kept, there = down[0][2:, ::2], [uploaded(gpu, picture) for picture in pictures[1:]]
    del down
    pinned = driver.pinned
    again = [gpu.download(buffer) for buffer in there]
    assert driver.pinned == pinned  # in the memory of those that are gone
    assert np.array_equal(kept, pictures[0][2:, ::2])
    assert all(np.array_equal(a, p) for a, p in zip(again, pictures[1:], strict=True))
    again[0][:] = 0  # as any other array


def test_nothing_to_do_is_not_launched(driver: FakeDriver) -> None:
    gpu = Gpu()
    gpu.launch("sample", "sample3", (0, 1, 1), (32, 8, 1))
    assert not driver.queued

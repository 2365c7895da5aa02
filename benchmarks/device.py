"""Pictures drawn on a device: what a frame costs there and on the CPU, and several streams at once.

One stream: the time of a whole picture from performance to sealed canvas, on the device and on the CPU in the same run, and how
long the GPU itself works on it, by its own events. Several: a process each, as several programs share a GPU, at a steady rate;
how long after its time each picture was there, and how many were late.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from engine.config import BADGE_TEXT
from engine.errors import ConfigError
from engine.face import arkit
from engine.face.model import face_model
from engine.face.performance import HeadMotion, Performance
from engine.machine import describe
from engine.names import DeviceName
from engine.perform.recording import find_performance, load_performance
from engine.puppet.format import load_puppet
from engine.puppet.shipped import find_puppet, shipped_folder
from engine.render.device import open_device
from engine.render.device_portrait import DevicePortraitView
from engine.render.generator import ON_GPU, Networks, Runtime, load_networks, networks_on, scale_of
from engine.render.portrait_view import PortraitView
from engine.render.quality import LADDER
from engine.render.view import Shown
from engine.trust.badge import Badge
from engine.trust.chips import Key
from engine.trust.seal import Seal
from kernels.device import Device
from models.runtimes import StreamNetwork

WARM_UP: Final = 5
LONGEST_WAIT_S: Final = 300.0  # for streams to load, and engines to be built


@dataclass(frozen=True, slots=True)
class Setting:
    """What is drawn, and how."""

    device: DeviceName
    runtime: Runtime
    size: tuple[int, int]
    rate_hz: float = 30.0
    frames: int = 300


def performances(count: int) -> list[Performance]:
    """The shipped one that talks, over and over."""
    moments = load_performance(find_performance("talk"))
    known = [m.performance for m in moments if m.performance is not None]
    return list(islice(cycle(known), count))


def _seal(size: tuple[int, int]) -> Seal:
    return Seal.of(Key(bytes(32)), 1, *size, Badge.of(BADGE_TEXT, "bottom-right", *size))


def _cpu_view(setting: Setting, networks: Networks | None) -> PortraitView:
    return PortraitView(load_puppet(find_puppet("bruno")), *setting.size, networks=networks)


def _device_view(setting: Setting, device: Device, networks: Networks | None) -> DevicePortraitView:
    return DevicePortraitView(_cpu_view(setting, networks), device, networks, print)


def _percentiles(ms: list[float]) -> dict[str, float]:
    return {f"p{q:g}_ms": float(np.percentile(ms, q)) for q in (50, 95, 99)}


def _times(draw: Callable[[Shown], object], frames: int) -> dict[str, float]:
    times = []
    for performance in performances(frames + WARM_UP):
        begin_s = time.perf_counter()
        draw(Shown(performance, 0.0))
        times.append(1e3 * (time.perf_counter() - begin_s))
    return _percentiles(times[WARM_UP:])


def one_stream(setting: Setting) -> dict[str, Any]:
    """A picture's time on the device and on the CPU, and the GPU's own work."""
    device, seal, networks = _opened(setting), _seal(setting.size), _networks(setting)
    view = _device_view(setting, device, networks)
    cpu = _cpu_view(setting, None if setting.runtime == "none" else load_networks("auto"))

    def on_cpu(shown: Shown) -> None:
        seal.set(cpu.draw(shown))

    there = _times(lambda shown: view.draw_sealed(shown, LADDER[0], seal), setting.frames)
    _require_drawn(view)
    here = _times(on_cpu, min(setting.frames, 60))
    result = {
        "device": device.name,
        "runtime": "none" if networks is None else str(networks),
        "picture": there,
        "picture_on_cpu": here,
        "ratio": here["p50_ms"] / there["p50_ms"],
    }
    times_ms = getattr(device, "times_ms", None)
    between = networks is not None and not all(isinstance(n, StreamNetwork) for n in networks.by_part.values())
    if times_ms is not None and not between:  # networks that the CPU executes would count as the GPU's work
        result["gpu_work"] = _percentiles(times_ms(lambda: view.again(LADDER[0], seal), setting.frames))
    return result


def _networks(setting: Setting) -> Networks | None:
    others = load_networks(setting.runtime, print, scale_of("auto", setting.runtime))
    return networks_on(setting.device, setting.runtime, others, print, scale_of("auto", ON_GPU[0]))


def _opened(setting: Setting) -> Device:
    device = open_device(setting.device)
    if device is None:
        raise ConfigError(
            wanted="a device to measure",
            found=f"--device {setting.device}",
            advice="Use gpu, or emulated to try this out.",
        )
    return device


def likeness(setting: Setting) -> dict[str, float]:
    """Largest share of a picture's pixels that the device draws more than NOTICED grey levels from the CPU, both with the same
    networks, over ODD performances of each shipped puppet of one photograph."""
    device, networks = _opened(setting), _networks(setting)
    worst = {}
    for path in sorted(shipped_folder().glob("*.puppet")):
        here, there = (PortraitView(load_puppet(path), *setting.size, networks=networks) for _ in range(2))
        view = DevicePortraitView(there, device, networks, print)
        shares = []
        for performance in ODD:
            pictures = [v.draw(Shown(performance, 0.0), LADDER[0]).astype(np.int16) for v in (here, view)]
            shares.append(float((np.abs(pictures[0] - pictures[1]).max(2) > NOTICED).mean()))
        _require_drawn(view)
        worst[path.stem] = max(shares)
    return worst


def _odd(angles: tuple[float, float, float], **shapes: float) -> Performance:
    return Performance(
        HeadMotion(angles, np.zeros(3, np.float32), 1.0), face_model().offsets(arkit.coefficients(shapes))
    )


NOTICED: Final = 2  # grey levels
ODD: Final = (
    _odd((0, 0, 0)), _odd((20, -8, 5), jawOpen=0.7, mouthSmileLeft=0.5),
    _odd((-25, 6, -4), eyeBlinkLeft=1.0, eyeBlinkRight=1.0, browInnerUp=0.8),
    _odd((0, 0, 0), eyeLookOutLeft=0.8, eyeLookInRight=0.8, mouthPucker=0.6),
)  # fmt: skip


def _require_drawn(view: DevicePortraitView) -> None:
    """The CPU's times must not pass for a device's."""
    if view.drawn_on == "cpu":
        raise ConfigError(
            wanted="pictures drawn by a device", found="the CPU, since the device failed",
            advice="See what was said above, and `mimicam doctor`.",
        )  # fmt: skip


def several_streams(setting: Setting, count: int) -> dict[str, Any]:
    """So many processes, each at the setting's rate."""
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(count)
    with spawn.Pool(count, _begin, (ready,)) as pool:
        ages = pool.map(_stream, [setting] * count, chunksize=1)
    period_ms = 1e3 / setting.rate_hz
    return {
        "streams": count,
        "each": [_percentiles(ms) | {"late": int(np.sum(np.array(ms) > period_ms))} for ms in ages],
        "all": _percentiles([value for ms in ages for value in ms]),
    }


_ready: Any = None  # of this process: a barrier can't be sent with a task


def _begin(ready: Any) -> None:
    global _ready
    _ready = ready


def _stream(setting: Setting) -> list[float]:
    """How long after it was due each picture of one process was there, ms."""
    device, seal = _opened(setting), _seal(setting.size)
    view = _device_view(setting, device, _networks(setting))
    some = performances(setting.frames + WARM_UP)
    for performance in some[:WARM_UP]:
        view.draw_sealed(Shown(performance, 0.0), LADDER[0], seal)
    _ready.wait(LONGEST_WAIT_S)
    begin_s, ages = time.monotonic(), []
    for index, performance in enumerate(some[WARM_UP:]):
        due_s = begin_s + index / setting.rate_hz
        time.sleep(max(0.0, due_s - time.monotonic()))
        view.draw_sealed(Shown(performance, due_s), LADDER[0], seal)
        ages.append(1e3 * (time.monotonic() - due_s))
    _require_drawn(view)
    return ages


def run(setting: Setting, streams: int, console: Console) -> dict[str, Any]:
    """Both measurements, shown; `streams` under 2 leaves the second out."""
    found = one_stream(setting)
    machine = describe(found["device"])
    result: dict[str, Any] = {"machine": machine, "size": setting.size, "runtime": found["runtime"], "one": found}
    table = Table("", "p50, ms", "p95, ms", "p99, ms")
    rows = {
        "a picture": found["picture"],
        "a picture on the CPU": found["picture_on_cpu"],
        "the GPU's work": found.get("gpu_work"),
    }
    result["apart"] = likeness(setting)
    if streams > 1:
        result["several"] = several_streams(setting, streams)
        rows[f"{streams} streams at {setting.rate_hz:g} Hz, after due"] = result["several"]["all"]
    for name, row in rows.items():
        table.add_row(name, *(("not measured",) * 3 if row is None else (f"{value:.2f}" for value in row.values())))
    console.print(table)
    apart = ", ".join(f"{name} {100 * share:.4f} %" for name, share in result["apart"].items())
    console.print(f"pixels more than {NOTICED} grey levels from the CPU's, at most: {apart}")
    console.print(
        f"{setting.size[0]} x {setting.size[1]}, networks: {result['runtime']}, {found['ratio']:.1f} times the CPU's speed, on "
        f"{machine['gpu']} and {machine['processor']}, {machine['cores']} cores"
    )
    return result

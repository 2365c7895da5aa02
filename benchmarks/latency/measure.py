"""Run the loop once in a given setting and say what its pictures tell about delay."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.latency.stages import Arrival, Backlog, CarryingRender, ReadingSink, StampingCamera, Times, timed_track
from engine.config import RunConfig
from engine.live.governor import Governor
from engine.live.mailbox import Mailbox
from engine.live.meter import Meter
from engine.live.pipeline import Pipeline
from engine.machine import memory_mb
from engine.names import DeviceName, LandmarkName
from engine.output.stage import OutputStage
from engine.render.generator import Runtime
from engine.render.ladder import Step, first_that_fits
from engine.render.quality import LADDER
from engine.report import governor_report
from engine.run import prepare_stages

Way = Literal["mailboxes", "at once", "queues", "one thread"]
SHOWN_POINTS = 600  # of age over time, in the report
SHOWN_FRAMES = 10  # in the timeline of stages
SETTLED_SHARE = 0.2  # of a run's time: what came before is not part of memory growth


@dataclass(frozen=True, slots=True)
class Setting:
    """One configuration of the measurement."""

    name: str
    way: Way = "mailboxes"  # what is between the stages, as in a run; "at once" is the same without turns
    size: tuple[int, int] = (1280, 720)
    rate_hz: float = 30.0
    seconds: float = 20.0
    render_extra_ms: float = 0.0  # the renderer takes so much longer
    output_extra_ms: float = 0.0
    busy_cores: int = 0  # other processes that compute without a pause
    governed: bool = False  # the governor draws less well where time is short
    runtime: Runtime = "auto"  # of the networks
    device: DeviceName = "cpu"  # what draws
    landmarks: LandmarkName = "openvino"  # what finds the performer's points


def measure(setting: Setting) -> dict[str, Any]:
    """One run. Ages in ms, rates in pictures a second, memory in MB, CPU in cores."""
    named: dict[str, Any] = {name: getattr(setting, name) for name in ("size", "runtime", "device", "landmarks")}
    config = RunConfig(puppet="bruno", rate=setting.rate_hz, output=("null",), **named)
    tracker, scene = prepare_stages(config)
    times, sink, meter = Times(), ReadingSink(setting.output_extra_ms / 1e3), Meter()
    camera = StampingCamera(setting.size, setting.rate_hz)
    track, render = timed_track(tracker, times), CarryingRender(scene, times, setting.render_extra_ms / 1e3)
    ladder = scene.ladder() if setting.governed else [Step(LADDER[0], 0.0)]
    in_turn = config.in_turn and setting.way == "mailboxes"
    begin = first_that_fits(ladder, setting.rate_hz, in_turn=in_turn)
    governor = Governor([step.draw_ms for step in ladder], config.target_age_ms, begin)
    memory: list[tuple[float, float]] = []
    begin_s, cpu_before = time.monotonic(), _cpu_s()

    def watch() -> None:
        scene.quality = ladder[governor.look(meter.age, meter.stage("render"), time.monotonic())].quality
        if not memory or time.monotonic() - memory[-1][0] > 1.0:
            memory.append((time.monotonic(), memory_mb()))

    with _busy(setting.busy_cores):
        if setting.way == "one thread":
            _one_thread(camera, track, render, sink, meter, setting.seconds, watch)
            skipped = 0
        else:
            mailbox = Backlog if setting.way == "queues" else Mailbox
            output = OutputStage([sink], setting.rate_hz)
            pipeline = Pipeline(camera, track, render, output, meter, mailbox, in_turn=in_turn)
            pipeline.run(setting.seconds, watch)
            skipped = pipeline.skipped()
        wall_s = time.monotonic() - begin_s
    tracker.close()
    result = _summary(sink.arrivals)
    result |= {
        "setting": asdict(setting),
        "captured": meter.counted("captured"),
        "skipped": skipped,
        "repeated": meter.counted("repeated"),
        "unreadable": sink.unreadable,
        "stages": {name: series.percentiles() for name, series in sorted(meter.stages.items())},
        "runtime": scene.runtime,
        "drawn_on": scene.drawn_on,
        "landmarks": tracker.landmarks,
        "governor": governor_report(governor, ladder, meter.started_s),
        "cpu_cores": (_cpu_s() - cpu_before) / wall_s,
        "memory_mb": _memory(memory),
        "first_frame_ms": (sink.arrivals[0].arrived_s - begin_s) * 1e3 if sink.arrivals else None,
        "timeline": _timeline(times, sink.arrivals),
    }
    return result


def _one_thread(camera: Any, track: Any, render: Any, sink: Any, meter: Meter, seconds: float, watch: Any) -> None:
    """What a first script does: everything in turn. The camera waits, as a real one with a buffer of one frame would."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        frame = camera.read()
        meter.count("captured")
        with meter.timed("track"):
            tracked = track(frame)
        with meter.timed("render"):
            rendered = render(tracked)
        with meter.timed("output"):
            sink.send(rendered.frame)
        watch()
    camera.close()


def _summary(arrivals: list[Arrival]) -> dict[str, Any]:
    """Age, rate and order of what arrived; repeats of a picture don't count."""
    fresh = [
        a for before, a in zip([None, *arrivals], arrivals, strict=False) if before is None or a.index != before.index
    ]
    if len(fresh) < 3:
        return {"pictures": len(fresh), "age_ms": {}, "age_over_time": []}
    age = np.array([(a.arrived_s - a.sent_s) * 1e3 for a in fresh])
    at = np.array([a.arrived_s for a in fresh])
    index = np.array([a.index for a in fresh])
    return {
        "pictures": len(fresh),
        "age_ms": percentiles(age),
        "jitter_ms": float(np.std(np.diff(at)) * 1e3),
        "rate_hz": float((len(at) - 1) / (at[-1] - at[0])),
        "missing": int((np.diff(index) - 1).clip(0).sum()),
        "out_of_order": int((np.diff(index) < 0).sum()),
        "age_over_time": _thinned(at - at[0], age),
    }


def percentiles(values: NDArray[np.float64]) -> dict[str, float]:
    """p50, p95, p99 and max."""
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    return {"p50": float(p50), "p95": float(p95), "p99": float(p99), "max": float(values.max())}


def _thinned(time_s: NDArray[np.float64], age_ms: NDArray[np.float64]) -> list[tuple[float, float]]:
    """At most `SHOWN_POINTS` of (time, age), each the oldest of its share."""
    parts = np.array_split(np.arange(len(age_ms)), min(SHOWN_POINTS, len(age_ms)))
    worst = [part[age_ms[part].argmax()] for part in parts]
    return [(round(float(time_s[i]), 3), round(float(age_ms[i]), 2)) for i in worst]


def _memory(samples: list[tuple[float, float]]) -> dict[str, float]:
    settled = samples[int(len(samples) * SETTLED_SHARE) :] or samples
    return {"settled": settled[0][1], "end": settled[-1][1], "largest": max(m for _, m in settled)} if settled else {}


def _timeline(times: Times, arrivals: list[Arrival]) -> list[tuple[str, int, float, float]]:
    """(stage, frame, begin, end) in ms of some frames in the middle; `wait` is what a frame spent before its tracking."""
    if len(arrivals) < 3 * SHOWN_FRAMES:
        return []
    middle = {a.index: a for a in arrivals[len(arrivals) // 2 :][:SHOWN_FRAMES]}
    zero = min(a.sent_s for a in middle.values())
    spans = [(stage, i, (b - zero) * 1e3, (e - zero) * 1e3) for stage, i, b, e in list(times.spans) if i in middle]
    ends = [("arrived", i, (a.arrived_s - zero) * 1e3, (a.arrived_s - zero) * 1e3) for i, a in middle.items()]
    starts = [("captured", i, (a.sent_s - zero) * 1e3, (a.sent_s - zero) * 1e3) for i, a in middle.items()]
    return sorted(spans + ends + starts, key=lambda span: span[2])


def _cpu_s() -> float:
    used = psutil.Process().cpu_times()
    return float(used.user + used.system)


def _compute_for_ever() -> None:
    while True:
        sum(range(10_000))


@contextmanager
def _busy(cores: int) -> Iterator[None]:
    """Other processes that keep cores busy while this lasts."""
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_compute_for_ever, daemon=True) for _ in range(cores)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.join()

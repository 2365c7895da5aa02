"""One live run: open everything, warm up, loop, report."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from rich.console import Console
from rich.live import Live

from engine.capture.mirrored import Mirrored
from engine.capture.open import open_source
from engine.capture.webcam import WebcamFormat
from engine.config import RunConfig
from engine.errors import MimicamError
from engine.face.calibration import WINDOW_S, Calibration
from engine.face.performance import Performance
from engine.live.governor import Governor
from engine.live.meter import Meter
from engine.live.pipeline import Pipeline, Source
from engine.machine import memory_mb
from engine.output.open import open_sinks
from engine.output.stage import OutputStage, Sink
from engine.perform.replay import Replay
from engine.puppet.format import load_puppet
from engine.puppet.shipped import find_puppet
from engine.render.generator import load_networks
from engine.render.quality import LADDER
from engine.render.scene import PortraitScene
from engine.report import print_report, run_report, write_json
from engine.track.tracker import Tracker

SETTLED_S = 10.0  # memory is compared with what it was then
RECENT_FRAMES = 30


def prepare_stages(
    config: RunConfig, tell: Callable[[str], object] = lambda reason: None
) -> tuple[Tracker, PortraitScene]:
    """Load puppet and networks, build the stages, and run each once so that nothing is compiled while the camera waits."""
    puppet, networks = load_puppet(find_puppet(config.puppet)), load_networks(config.runtime, tell)
    scene = PortraitScene(puppet, *config.size, networks=networks)
    tracker = Tracker(Calibration(window_s=0.0 if config.neutral == "first" else WINDOW_S))
    scene.draw(Performance.neutral())
    tracker.warm_up(np.zeros((config.size[1], config.size[0], 3), np.uint8))
    return tracker, scene


def run(config: RunConfig, console: Console, replay: Replay | None = None) -> None:
    """Run the live loop, print its report and write it where the settings say. A `replay` stands in for the camera.

    Raises MimicamError for whatever stops the run before its time; the report is written all the same.
    """
    stop = threading.Event()
    with console.status("preparing"):
        tracker, scene = prepare_stages(config, console.print)
    with _signals(tracker.calibration):
        keys = {"n": tracker.calibration.recapture, "q": stop.set, "esc": stop.set}
        source, sinks = _open_ends(config, keys, replay)
        meter = Meter()
        governor = Governor(len(LADDER) if config.target_age_ms else 1, config.target_age_ms)
        track = tracker if replay is None else replay.track
        pipeline = Pipeline(source, track, scene, OutputStage(sinks, config.rate), meter)
        memory: dict[str, float] = {}
        failure: MimicamError | None = None
        with Live(console=console, refresh_per_second=4, transient=True) as live:

            def watch() -> None:
                scene.quality = LADDER[governor.look(meter.age, time.monotonic())]
                live.update(status_line(meter, pipeline.skipped(), scene.quality.name))
                if "settled" not in memory and time.monotonic() - meter.started_s > SETTLED_S:
                    memory["settled"] = memory_mb()
                if stop.is_set():
                    pipeline.stop()

            try:
                pipeline.run(config.seconds, watch)
            except MimicamError as error:
                failure = error
    memory["end"] = memory_mb()
    meter.count("reconnected", source.reconnected)
    report = run_report(meter, pipeline.skipped(), governor, scene.runtime, memory, _setting(config), failure)
    print_report(report, console)
    if config.report is not None:
        write_json(report, config.report)
    if failure is not None:
        raise failure
    tracker.close()


def _open_ends(
    config: RunConfig, keys: dict[str, Callable[[], None]], replay: Replay | None
) -> tuple[Source, list[Sink]]:
    """The source and the sinks, all open or none."""
    width, height = config.camera_size or (None, None)
    wanted = WebcamFormat(width, height, config.rate if config.camera_size else None)
    sinks = open_sinks(config.output, config.size, config.rate, keys)
    if replay is not None:
        return replay, sinks
    try:
        source = open_source(config.camera, wanted, config.rate)
    except BaseException:
        for sink in sinks:
            sink.close()
        raise
    return (Mirrored(source) if config.mirror else source), sinks


def _setting(config: RunConfig) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude={"report", "seconds"}, exclude_none=True)


def status_line(meter: Meter, skipped: int, quality: str) -> str:
    """Rate, age, what the governor makes of it, and losses in one line."""
    without = sum(meter.counted(f"puppet_{state}") for state in ("held", "easing", "still"))
    return (
        f"{meter.recent_rate_hz(time.monotonic()):5.1f} fps   age {meter.age.recent(RECENT_FRAMES):5.1f} ms   "
        f"quality {quality}   skipped {skipped}   repeated {meter.counted('repeated')}   without performer {without}"
    )


@contextmanager
def _signals(calibration: Calibration) -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does; SIGUSR1 takes a new neutral, for machines without a window."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted: dict[int, Callable[..., None]] = {signal.SIGTERM: signal.default_int_handler}
    if hasattr(signal, "SIGUSR1"):
        wanted[signal.SIGUSR1] = lambda *_: calibration.recapture()
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

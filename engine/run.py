"""One live run: open everything, warm up, loop, report."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.live import Live

from engine.capture.open import open_source
from engine.capture.webcam import WebcamFormat
from engine.config import RunConfig
from engine.face.calibration import WINDOW_S, Calibration
from engine.face.performance import Performance
from engine.live.frame import Frame
from engine.live.meter import Meter
from engine.live.pipeline import Pipeline, Source
from engine.machine import memory_mb
from engine.output.open import open_sinks
from engine.output.stage import OutputStage
from engine.puppet.format import load_puppet
from engine.puppet.shipped import find_puppet
from engine.render.scene import PortraitScene
from engine.report import run_report
from engine.track.tracker import Tracker

SETTLED_S = 10.0  # memory is compared with what it was then
RECENT_FRAMES = 30


@dataclass(frozen=True, slots=True)
class Stages:
    """What the loop is made of, for one run and for benchmarks."""

    track: Tracker
    render: PortraitScene


def prepare_stages(config: RunConfig) -> Stages:
    """Load the puppet, build the stages, and run each once so that nothing is compiled while the camera waits."""
    scene = PortraitScene(load_puppet(find_puppet(config.puppet)), *config.size)
    tracker = Tracker(Calibration(window_s=0.0 if config.neutral == "first" else WINDOW_S))
    scene.draw(Performance.neutral())
    tracker(Frame(np.zeros((config.size[1], config.size[0], 3), np.uint8), -1, time.monotonic()))
    return Stages(tracker, scene)


class Mirrored:
    """A source, flipped left to right."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.close = source.close

    def read(self) -> Frame | None:
        """The next frame."""
        frame = self._source.read()
        return (
            None
            if frame is None
            else Frame(np.asarray(cv2.flip(frame.bgr, 1), np.uint8), frame.index, frame.captured_s)
        )


def run(config: RunConfig, console: Console) -> dict[str, Any]:
    """Run the live loop and return its report. Raises MimicamError for whatever stops it before its time."""
    width, height = config.camera_size or (None, None)
    with console.status("preparing"):
        stages = prepare_stages(config)
        source = open_source(
            config.camera, WebcamFormat(width, height, config.rate if config.camera_size else None), config.rate
        )
    if config.mirror:
        source = Mirrored(source)
    stop = threading.Event()
    keys: dict[str, Callable[[], None]] = {"n": stages.track.calibration.recapture, "q": stop.set, "esc": stop.set}
    try:
        sinks = open_sinks(config.output, config.size, config.rate, keys)
    except BaseException:
        source.close()
        raise
    meter = Meter()
    pipeline = Pipeline(source, stages.track, stages.render, OutputStage(sinks, config.rate), meter)
    memory: dict[str, float] = {}
    with Live(console=console, refresh_per_second=4, transient=True) as live, _signals(stages.track.calibration):

        def watch() -> None:
            live.update(status_line(meter, pipeline.skipped()))
            if "settled" not in memory and time.monotonic() - meter.started_s > SETTLED_S:
                memory["settled"] = memory_mb()
            if stop.is_set():
                pipeline.stop()

        pipeline.run(config.seconds, watch)
    memory["end"] = memory_mb()
    stages.track.close()
    setting = {"camera": config.camera, "puppet": config.puppet, "size": list(config.size), "rate": config.rate}
    return run_report(meter, pipeline.skipped(), memory, setting | {"mode": config.mode, "output": list(config.output)})


def status_line(meter: Meter, skipped: int) -> str:
    """Rate, age and losses in one line."""
    lost = sum(meter.counted(f"puppet_{state}") for state in ("held", "easing", "still"))
    return (
        f"{meter.rate_hz(time.monotonic()):5.1f} fps   age {meter.age.recent(RECENT_FRAMES):5.1f} ms   "
        f"skipped {skipped}   repeated {meter.counted('repeated')}   without performer {lost}"
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

"""From glass to glass: a screen shows the time, the camera films the screen, the loop hands its picture over.

What is measured is the way from a target being drawn, through screen, exposure and camera, to the camera's read, and
from there through the loop to the output. The screen counts once: at the beginning, where a call has it at the end.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.latency.measure import percentiles
from benchmarks.latency.strip import Stamp
from benchmarks.latency.target import TargetReader, blank_target, stamp_target
from engine.capture.open import open_source
from engine.capture.webcam import WebcamFormat
from engine.config import RunConfig
from engine.errors import SourceError
from engine.live.frame import Frame
from engine.live.meter import Meter
from engine.live.pacer import Pacer
from engine.live.pipeline import Pipeline, Source
from engine.machine import describe
from engine.output.stage import OutputStage
from engine.run import prepare_stages

SCREEN_HZ = 60.0
READ_AHEAD = 8  # frames that wait to be looked at
LEAST_SHARE = 0.2  # of the camera's pictures in which the target must be read


class FilmingCamera:
    """A camera that looks at the target: notes when what it sees was drawn.

    The target is read in a thread of its own, so that reading delays no frame; what it can't keep up with isn't read.
    """

    def __init__(self, source: Source) -> None:
        self._source, self._reader = source, TargetReader()
        self.drawn_s: dict[int, float] = {}  # of the frames in which the target was read
        self.legs_ms: list[float] = []  # from the drawing to the camera's read
        self.read_count = 0
        self._waiting: queue.Queue[Frame | None] = queue.Queue(maxsize=READ_AHEAD)
        self._thread = threading.Thread(target=self._read_targets, name="target", daemon=True)
        self._thread.start()

    @property
    def reconnected(self) -> int:
        """As the camera's."""
        return self._source.reconnected

    def read(self) -> Frame | None:
        """The camera's next frame."""
        frame = self._source.read()
        if frame is not None:
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait(frame)
        return frame

    def close(self) -> None:
        """Free the camera; the frames that wait are still read."""
        self._source.close()
        self._waiting.put(None)
        self._thread.join()

    def _read_targets(self) -> None:
        while (frame := self._waiting.get()) is not None:
            self.read_count += 1
            stamp = self._reader.read(frame.bgr)
            if stamp is not None:
                self.drawn_s[frame.index] = stamp.time_s
                self.legs_ms.append((frame.captured_s - stamp.time_s) * 1e3)


@dataclass(slots=True)
class ArrivalSink:
    """Notes when which frame was handed over."""

    arrived_s: dict[int, float]
    wants_repeats: bool = False
    left_out: int = 0

    def send(self, frame: Frame) -> None:
        """Note it."""
        self.arrived_s[frame.index] = time.monotonic()

    def close(self) -> None:
        """Nothing to finish."""


def show_target(seconds: float) -> None:
    """Show the target in a window, a strip of it redrawn at every refresh. Runs in a process of its own."""
    picture, pacer = blank_target(), Pacer(SCREEN_HZ)
    cv2.namedWindow("mimicam glass", cv2.WINDOW_NORMAL)
    end_s, index = time.monotonic() + seconds, 0
    while time.monotonic() < end_s:
        stamp_target(picture, Stamp(index, time.monotonic()))
        cv2.imshow("mimicam glass", picture)
        cv2.waitKey(1)
        index += 1
        pacer.wait()


@contextmanager
def target_on_screen(seconds: float) -> Iterator[None]:
    """The target is shown while this lasts."""
    screen = multiprocessing.get_context("spawn").Process(target=show_target, args=(seconds,), daemon=True)
    screen.start()
    try:
        yield
    finally:
        screen.kill()
        screen.join()


def measure_glass(source: Source, config: RunConfig, seconds: float) -> dict[str, Any]:
    """Run the loop on a camera that films the target. SourceError when it can't be read in enough pictures."""
    tracker, scene = prepare_stages(config)
    camera, sink, meter = FilmingCamera(source), ArrivalSink({}), Meter()
    output = OutputStage([sink], config.rate)
    Pipeline(camera, tracker, scene, output, meter, in_turn=config.in_turn).run(seconds)
    tracker.close()
    whole = [(at - camera.drawn_s[i]) * 1e3 for i, at in sink.arrived_s.items() if i in camera.drawn_s]
    share = len(camera.drawn_s) / max(camera.read_count, 1)
    if not whole or share < LEAST_SHARE:
        raise SourceError(
            wanted="the target in the camera's pictures",
            found=f"it in {len(camera.drawn_s)} of {camera.read_count}",
            advice="Point the camera at the window so that all four markers are sharp, large and not dazzled by a lamp.",
        )
    return {
        "pictures": camera.read_count,
        "target_read": len(camera.drawn_s),
        "screen_and_camera_ms": percentiles(np.array(camera.legs_ms)),
        "loop_ms": meter.age.percentiles(),
        "whole_ms": percentiles(np.array(whole)),
        "machine": describe(),
    }


def run(camera: str, seconds: float, console: Console) -> dict[str, Any]:
    """Show the target, film it, print the figures."""
    config = RunConfig(camera=camera, output=("null",))
    source = open_source(camera, WebcamFormat(), config.rate)
    with target_on_screen(seconds + 30):
        console.print("Point the camera at the window with the four markers.")
        found = measure_glass(source, config, seconds)
    table = Table("from glass to glass, ms", "p50", "p95", "p99", "max")
    for name, key in (
        ("screen and camera", "screen_and_camera_ms"),
        ("loop", "loop_ms"),
        ("the whole way", "whole_ms"),
    ):
        table.add_row(name, *(f"{found[key][p]:.1f}" for p in ("p50", "p95", "p99", "max")))
    console.print(table)
    console.print(f"target read in {found['target_read']} of {found['pictures']} pictures")
    return found

"""Time each stage of the loop on the demo clip, one after the other, against its budget.

    mimicam bench stages [--frames 300]

Fails on a stage that is over its budget, and on one that has none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.budget import BUDGET_MS
from benchmarks.results import write_result
from engine.capture.open import demo_clip
from engine.capture.video_file import VideoFile
from engine.config import BADGE_TEXT
from engine.face.performance import Performance
from engine.live.frame import Frame
from engine.live.meter import Meter
from engine.machine import describe
from engine.output.stage import OutputStage
from engine.output.video_file import VideoFileSink
from engine.puppet.format import load_puppet
from engine.puppet.shipped import find_puppet
from engine.render import portrait as portrait_module
from engine.render.generator import load_networks
from engine.render.portrait_view import PortraitView
from engine.render.quality import LADDER
from engine.render.scene import Rendered, Scene
from engine.track.tracker import Tracker
from engine.trust.badge import Badge
from engine.trust.chips import Key
from engine.trust.seal import Seal

WARM_UP = 20


class Stopwatch:
    """Durations of one frame after the other, by name, ms."""

    def __init__(self) -> None:
        self.frames: list[dict[str, float]] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time what happens inside, for the frame under way."""
        begin_s = time.perf_counter()
        yield
        frame = self.frames[-1]
        frame[name] = frame.get(name, 0.0) + (time.perf_counter() - begin_s) * 1e3

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        def timed(*arguments: Any) -> Any:
            with self(name):
                return function(*arguments)

        return timed

    def percentiles(self) -> dict[str, dict[str, float]]:
        """p50 and p99 after the warm-up."""
        frames = self.frames[WARM_UP:] or self.frames
        names = sorted({name for frame in frames for name in frame})
        values = {name: [frame.get(name, 0.0) for frame in frames] for name in names}
        return {
            name: {"p50_ms": float(np.percentile(v, 50)), "p99_ms": float(np.percentile(v, 99))}
            for name, v in values.items()
        }


@contextmanager
def instrumented(watch: Stopwatch, tracker: Tracker, scene: Scene) -> Iterator[None]:
    """Time the parts of track and render from the outside while this lasts."""
    assert isinstance(scene.view, PortraitView)
    portrait = scene.view.portrait
    places: list[tuple[Any, str, str]] = [
        (tracker, "find", "track: landmarks"),
        (scene, "_sealed", "render: badge and mark"),
        (portrait.face, "retarget", "render: retarget"),
        (portrait.photograph.mouth, "patch", "render: mouth"),
        (portrait.photograph.irises, "patches", "render: irises"),
        (portrait_module, "warp_mesh", "render: warp_mesh"),
        (portrait_module, "sample", "render: sample"),
        (portrait_module, "soften_edges", "render: soften_edges"),
    ]
    generator = portrait._raster(1.0).generator
    if generator is not None:
        places.append((generator, "draw", "render: networks"))
    originals = [getattr(owner, attribute) for owner, attribute, _ in places]
    for (owner, attribute, name), original in zip(places, originals, strict=True):
        setattr(owner, attribute, watch.around(name, original))
    try:
        yield
    finally:
        for (owner, attribute, _), original in zip(places, originals, strict=True):
            setattr(owner, attribute, original)


def measure(frames: int) -> dict[str, dict[str, float]]:
    """Percentiles of each stage and part over the demo clip at 1280 x 720, one stage at a time."""
    watch = Stopwatch()
    video, tracker = VideoFile(demo_clip()), Tracker()
    view = PortraitView(load_puppet(find_puppet("bruno")), 1280, 720, networks=load_networks("auto"))
    badge = Badge.of(BADGE_TEXT, "bottom-right", 1280, 720)
    scene = Scene(view, seal=Seal.of(Key(bytes(32)), 1, 1280, 720, badge))
    scene.draw(Performance.neutral())
    with instrumented(watch, tracker, scene):
        source = islice(video, frames + WARM_UP)
        while True:
            watch.frames.append({})
            with watch("capture"):
                frame = next(source, None)
            if frame is None:
                break
            with watch("track"):
                tracked = tracker(frame)
            with watch("render"):
                rendered = scene(tracked)
    watch.frames.pop()
    tracker.close()
    video.close()
    for row in watch.frames:
        row["track: pose, filter, performance"] = _rest(row, "track")
        row["render: canvas"] = _rest(row, "render")
    return watch.percentiles() | measure_output(rendered, frames)


def measure_output(rendered: Rendered, frames: int) -> dict[str, dict[str, float]]:
    """The hand-over of a picture to a recording, whose encoder works in a thread of its own."""
    watch, meter = Stopwatch(), Meter()
    with TemporaryDirectory() as folder:
        output = OutputStage([VideoFileSink(Path(folder) / "out.mp4", 30)], 30)
        for index in range(frames + WARM_UP):
            frame = Frame(rendered.frame.bgr, index, index / 30)
            watch.frames.append({})
            with watch("output"):
                output._hand_over(Rendered(frame, rendered.state), None, meter)
        output._close()
    return watch.percentiles()


def _rest(row: dict[str, float], stage: str) -> float:
    """What of a stage's time its measured parts leave."""
    return row[stage] - sum(value for name, value in row.items() if name.startswith(f"{stage}: "))


def measure_ladder(frames: int = 60) -> list[dict[str, Any]]:
    """What each quality that the governor may choose saves and shows: its time, and its likeness to the full picture while
    the demo performer drives (PSNR, dB; nobody sees a difference over 45)."""
    video, tracker = VideoFile(demo_clip()), Tracker()
    scene = Scene(PortraitView(load_puppet(find_puppet("bruno")), 1280, 720, networks=load_networks("auto")))
    performances = [tracker(frame).performance or Performance.neutral() for frame in islice(video, 0, 4 * frames, 4)]
    rows, full = [], [scene.draw(p) for p in performances]
    for quality in LADDER:
        scene.quality, times = quality, []
        for performance in [performances[0], *performances]:
            begin_s = time.perf_counter()
            scene.draw(performance)
            times.append((time.perf_counter() - begin_s) * 1e3)
        likeness = [float(cv2.PSNR(a, scene.draw(p))) for a, p in zip(full, performances, strict=True)]
        rows.append(
            {"quality": quality.name, "p50_ms": float(np.median(times[1:])), "psnr_db": float(np.mean(likeness))}
        )
    tracker.close()
    video.close()
    return rows


def judge(found: dict[str, dict[str, float]]) -> list[str]:
    """What is wrong: stages without a budget, stages over it."""
    wrong = [f"'{name}' has no budget in benchmarks/budget.py" for name in found if name not in BUDGET_MS]
    for name, budget in BUDGET_MS.items():
        if name not in found:
            wrong.append(f"'{name}' has a budget but was not measured")
        elif found[name]["p50_ms"] > budget.p50 or found[name]["p99_ms"] > budget.p99:
            row = found[name]
            wrong.append(
                f"'{name}' took {row['p50_ms']:.1f} ms (p99 {row['p99_ms']:.1f}); budget {budget.p50} (p99 {budget.p99})"
            )
    return wrong


def run(frames: int, report: Path, console: Console) -> list[str]:
    """Measure, show and keep; returns what is wrong."""
    found = measure(frames)
    table = Table("stage", "p50, ms", "budget", "p99, ms", "budget")
    for name, row in found.items():
        budget = BUDGET_MS.get(name)
        table.add_row(
            name, f"{row['p50_ms']:.2f}", f"{budget.p50:g}" if budget else "none",
            f"{row['p99_ms']:.2f}", f"{budget.p99:g}" if budget else "none",
        )  # fmt: skip
    machine = describe()
    console.print(table)
    console.print(f"on {machine['processor']}, {machine['cores']} cores")
    ladder = measure_ladder()
    qualities = Table("quality", "render p50, ms", "likeness to full, dB")
    for step in ladder:
        likeness = "the same" if step["quality"] == LADDER[0].name else f"{step['psnr_db']:.1f}"
        qualities.add_row(step["quality"], f"{step['p50_ms']:.2f}", likeness)
    console.print(qualities)
    runtime = str(load_networks("auto"))
    write_result(report, {"stages": found, "qualities": ladder, "runtime": runtime, "machine": machine})
    wrong = judge(found)
    for line in wrong:
        console.print(line, style="red")
    return wrong

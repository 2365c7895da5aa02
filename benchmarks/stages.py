"""Time each stage of the loop on the demo clip, one after the other, against its budget.

    python -m benchmarks.stages [--frames 300]

Fails on a stage that is over its budget, and on one that has none.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.budget import BUDGET_MS
from benchmarks.results import default_path, write_result
from engine.capture.open import demo_clip
from engine.capture.video_file import VideoFile
from engine.face.performance import Performance
from engine.machine import describe
from engine.output.null import NullSink
from engine.puppet.format import load_puppet
from engine.puppet.shipped import find_puppet
from engine.render import portrait as portrait_module
from engine.render.scene import PortraitScene
from engine.track.tracker import Tracker

WARM_UP = 20


class Stopwatch:
    """Durations by name, ms."""

    def __init__(self) -> None:
        self.durations: dict[str, list[float]] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        begin_s = time.perf_counter()
        yield
        self.durations.setdefault(name, []).append((time.perf_counter() - begin_s) * 1e3)

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        def timed(*arguments: Any) -> Any:
            with self(name):
                return function(*arguments)

        return timed

    def percentiles(self) -> dict[str, dict[str, float]]:
        """p50 and p99 after the warm-up."""
        return {
            name: {"p50_ms": float(np.percentile(values, 50)), "p99_ms": float(np.percentile(values, 99))}
            for name, values in ((n, v[WARM_UP:] or v) for n, v in self.durations.items())
        }


def instrument(watch: Stopwatch, tracker: Tracker, scene: PortraitScene) -> None:
    """Time the parts of track and render from the outside."""
    tracker._mesh.__class__.__call__ = watch.around("track: landmarks", tracker._mesh.__class__.__call__)  # type: ignore[method-assign]
    portrait = scene._portrait
    portrait.face.retarget = watch.around("render: retarget", portrait.face.retarget)  # type: ignore[method-assign]
    portrait._mouth.draw = watch.around("render: mouth", portrait._mouth.draw)  # type: ignore[method-assign]
    portrait._irises.draw = watch.around("render: irises", portrait._irises.draw)  # type: ignore[method-assign]
    for kernel in ("warp_mesh", "sample"):
        setattr(portrait_module, kernel, watch.around(f"render: {kernel}", getattr(portrait_module, kernel)))


def measure(frames: int) -> dict[str, dict[str, float]]:
    """Percentiles of each stage and part over the demo clip at 1280 x 720."""
    watch = Stopwatch()
    video, tracker, sink = VideoFile(demo_clip()), Tracker(), NullSink()
    scene = PortraitScene(load_puppet(find_puppet("bruno")), 1280, 720)
    scene.draw(Performance.neutral())
    instrument(watch, tracker, scene)
    source = islice(video, frames + WARM_UP)
    while True:
        with watch("capture"):
            frame = next(source, None)
        if frame is None:
            break
        with watch("track"):
            tracked = tracker(frame)
        with watch("render"):
            rendered = scene(tracked)
        with watch("output"):
            sink.send(rendered.frame)
    durations = watch.durations
    durations["track: pose, filter, performance"] = _rest(durations, "track")
    durations["render: canvas"] = _rest(durations, "render")
    return watch.percentiles()


def _rest(durations: dict[str, list[float]], stage: str) -> list[float]:
    """What of a stage's time its measured parts leave."""
    parts = [values for name, values in durations.items() if name.startswith(f"{stage}: ")]
    count = len(durations[stage])
    whole = [values for values in parts if len(values) == count]
    return [total - sum(values[i] for values in whole) for i, total in enumerate(durations[stage])]


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=280)
    parser.add_argument("--report", type=Path, default=default_path("stages"))
    arguments = parser.parse_args()
    found = measure(arguments.frames)
    table = Table("stage", "p50, ms", "budget", "p99, ms", "budget")
    for name, row in found.items():
        budget = BUDGET_MS.get(name)
        table.add_row(
            name, f"{row['p50_ms']:.2f}", f"{budget.p50:g}" if budget else "none",
            f"{row['p99_ms']:.2f}", f"{budget.p99:g}" if budget else "none",
        )  # fmt: skip
    console, machine = Console(), describe()
    console.print(table)
    console.print(f"on {machine['processor']}, {machine['cores']} cores")
    write_result(arguments.report, {"stages": found, "machine": machine})
    wrong = judge(found)
    for line in wrong:
        console.print(line, style="red")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

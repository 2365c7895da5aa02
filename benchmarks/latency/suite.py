"""The settings that are measured, and the report of all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.latency.measure import Setting, Way, measure
from engine.errors import ConfigError
from engine.machine import describe

SLOW_PERIODS = 3.0  # a renderer that is so many times too slow
TYPICAL_RENDER_MS = 15.0
WAYS: tuple[Way, ...] = ("mailboxes", "at once", "queues", "one thread")


def ways(seconds: float) -> list[Setting]:
    """The design against the naive ways, with the renderer as it is and three times too slow."""
    slow_ms = SLOW_PERIODS * 1000 / 30 - TYPICAL_RENDER_MS
    quick = [Setting(way, way=way, seconds=seconds) for way in WAYS]
    return quick + [replace(s, name=f"{s.name}, slow renderer", render_extra_ms=slow_ms) for s in quick]


def loads(seconds: float) -> list[Setting]:
    """What people have: larger pictures, higher rates, a busy machine, a slow output."""
    governed = [
        Setting("720p 30 Hz", seconds=seconds),
        Setting("720p 60 Hz", rate_hz=60, seconds=seconds),
        Setting("1080p 30 Hz", size=(1920, 1080), seconds=seconds),
        Setting("1080p 60 Hz", size=(1920, 1080), rate_hz=60, seconds=seconds),
        Setting("720p 30 Hz, one core busy", busy_cores=1, seconds=seconds),
        Setting("720p 30 Hz, output takes 50 ms", output_extra_ms=50, seconds=seconds),
    ]
    governed.append(Setting("720p 30 Hz, warp alone", runtime="none", seconds=seconds))
    alone = Setting("1080p 60 Hz, no governor", size=(1920, 1080), rate_hz=60, seconds=seconds)
    return [replace(s, governed=True) for s in governed] + [alone]


def measure_all(settings: list[Setting], repeats: int, console: Console) -> dict[str, Any]:
    """Measure each setting `repeats` times, showing a row for each."""
    table = Table(
        "setting",
        "p50",
        "p95",
        "p99",
        "max",
        "jitter",
        "rate",
        "skipped",
        "out of order",
        "CPU",
        "quality",
        title="frame age, ms",
    )
    runs = []
    for setting in settings:
        for _ in range(repeats):
            with console.status(setting.name):
                run = measure(setting)
            if (run["drawn_on"] == "cpu") != (setting.device == "cpu"):
                raise ConfigError(
                    wanted=f"pictures drawn on {setting.device}",
                    found="the CPU",
                    advice="`mimicam doctor` may say why.",
                )
            if run["landmarks"] != setting.landmarks:
                raise ConfigError(
                    wanted=f"landmarks by {setting.landmarks}",
                    found=run["landmarks"],
                    advice="`mimicam doctor` may say why.",
                )
            runs.append(run)
            table.add_row(
                setting.name, *(f"{run['age_ms'][k]:.1f}" for k in ("p50", "p95", "p99", "max")), f"{run['jitter_ms']:.1f}",
                f"{run['rate_hz']:.1f}", str(run["skipped"]), str(run["out_of_order"]), f"{run['cpu_cores']:.2f}",
                f"{run['governor']['quality']} ({len(run['governor']['steps'])} steps)",
            )  # fmt: skip
    console.print(table)
    drawn_on = {run["drawn_on"] for run in runs} - {"cpu"}
    machine = describe(*drawn_on)  # one device draws all settings
    console.print(f"on {machine['processor']}, {machine['cores']} cores, GPU: {machine['gpu']}")
    return {"runs": runs, "machine": machine}

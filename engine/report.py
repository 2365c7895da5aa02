"""The report of a run: a JSON file for programs, a table for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from engine.errors import MimicamError
from engine.files import write_whole
from engine.live.governor import Governor
from engine.live.meter import Meter
from engine.machine import describe
from engine.render.ladder import Step

COUNTS = ("captured", "tracked", "rendered", "sent", "repeated", "out_of_order", "left_out")  # left out by a recording
STATES = ("live", "held", "easing", "still")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run leaves to be told."""

    meter: Meter
    skipped: int  # frames
    governor: Governor
    ladder: Sequence[Step]
    runtime: str
    drawn_on: str
    memory_mb: Mapping[str, float]
    setting: dict[str, Any]
    failure: MimicamError | None
    protocols: dict[str, int]  # datagrams
    sound: dict[str, Any] | None
    outputs_lost: Sequence[str] = ()  # why


def run_report(outcome: Outcome) -> dict[str, Any]:
    """Everything that a run counted. Ages and durations in ms, memory in MB, rates in pictures a second."""
    meter, failure = outcome.meter, outcome.failure
    frames = {name: meter.counted(name) for name in COUNTS}
    stages = {
        name: {f"{key}_ms": round(value, 3) for key, value in series.percentiles().items()}
        for name, series in sorted(meter.stages.items())
    }
    first_s = None if meter.first_sent_s is None else round(meter.first_sent_s - meter.started_s, 3)
    return {
        "frames": frames | {"skipped": outcome.skipped},
        "fps": round(meter.rate_hz(), 3),
        "age_ms": {key: round(value, 3) for key, value in meter.age.percentiles().items()},
        "stages": stages,
        "puppet_frames": {state: meter.counted(f"puppet_{state}") for state in STATES},
        "governor": governor_report(outcome.governor, outcome.ladder, meter.started_s),
        "first_frame_s": first_s,
        "camera_reconnected": meter.counted("reconnected"),
        "outputs_lost": list(outcome.outputs_lost),
        "memory_mb": {key: round(value, 1) for key, value in outcome.memory_mb.items() if isfinite(value)},
        "protocols": outcome.protocols,
        "sound": outcome.sound,
        "runtime": outcome.runtime,
        "drawn_on": outcome.drawn_on,
        "failure": None if failure is None else str(failure),
        "setting": outcome.setting,
        "machine": describe(),
    }


def governor_report(governor: Governor, ladder: Sequence[Step], started_s: float) -> dict[str, Any]:
    """Its target, the quality at the end, and every step on the way; times in seconds since the start."""
    return {
        "target_age_ms": governor.target_ms,
        "ladder_ms": {step.quality.name: round(step.draw_ms, 1) for step in ladder},
        "quality": ladder[governor.level].quality.name,
        "steps": [
            {
                "at_s": round(step.at_s - started_s, 2),
                "from": ladder[step.before].quality.name,
                "to": ladder[step.after].quality.name,
                "age_ms": round(step.age_ms, 1),
            }
            for step in governor.steps
        ],
    }


def write_json(report: dict[str, Any], path: Path) -> None:
    """Write it, whole or not at all. OutputError when the place can't be written."""
    write_whole(path, (json.dumps(report, indent=2, default=str) + "\n").encode(), "the report")


def print_report(report: dict[str, Any], console: Console) -> None:
    """Show it."""
    frames, age = report["frames"], report["age_ms"]
    table = Table(title="mimicam run", title_justify="left", show_header=True)
    for column in ("", "p50", "p95", "p99", "max"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row("frame age, ms", *(f"{age[key]:.1f}" for key in ("p50", "p95", "p99", "max")))
    for name, stage in report["stages"].items():
        table.add_row(f"{name}, ms", *(f"{stage[key + '_ms']:.1f}" for key in ("p50", "p95", "p99", "max")))
    console.print(table)
    share = 100 * frames["skipped"] / max(frames["captured"], 1)
    console.print(
        f"{report['fps']:.2f} pictures a second; {frames['captured']} captured, {frames['sent']} sent, "
        f"{frames['skipped']} skipped ({share:.1f} %), {frames['repeated']} repeated, {frames['out_of_order']} out of order, "
        f"{frames['left_out']} not recorded"
    )
    governor = report["governor"]
    changed = f"changed {len(governor['steps'])} times, " * bool(governor["steps"])
    console.print(f"quality {changed}at the end: {governor['quality']}")
    if report["sound"] is not None:
        heard = report["sound"]
        broke = f", broke off: {heard['failure']}" if heard["failure"] else ""
        console.print(f"sound: its mouth is {heard['delay_ms']:.0f} ms late{broke}")
    machine = report["machine"]
    console.print(
        f"on {machine['processor']}, {machine['cores']} cores, Python {machine['python']}, networks: {report['runtime']}, "
        f"drawn on: {report['drawn_on']}"
    )

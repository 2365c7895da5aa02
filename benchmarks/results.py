"""Where results are kept: one JSON file per benchmark and machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from engine.machine import cores, processor


def default_path(benchmark: str, gpu: str | None = None) -> Path:
    """`benchmarks/results/BENCHMARK-MACHINE.json`; the machine is its GPU where one was used, and its processor else."""
    name = f"{re.sub(r'processor|cpu.*', '', processor().lower())} {cores()} cores" if gpu is None else gpu.lower()
    machine = re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", name)).strip("-")
    return Path(__file__).parent / "results" / f"{benchmark}-{machine}.json"


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Write it, rounded to what means something."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_rounded(result), indent=1) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return round(value, 4) if isinstance(value, float) else value

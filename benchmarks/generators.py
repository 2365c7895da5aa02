"""Which generator fits into a frame on this machine: ours beside published architectures, per runtime.

    mimicam bench generators

Times are medians of single calls, one after the other; the published networks have random weights, which costs the same.
Needs torch (the extra `train`) for the published ones and for the torch columns.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from rich.console import Console
from rich.table import Table

from benchmarks.results import write_result
from engine.errors import ConfigError
from engine.machine import describe
from engine.render.crops import Part
from engine.render.generator import PARTS, places_of
from models.config import CONFIGS
from models.openvino_runtime import compile_graph, native_precision
from models.runtimes import RuntimeName, load_network
from models.weights import load_weights

FRAME_MS = 1000 / 30
LEAST_CALLS, LEAST_S = 5, 2.0


def median_ms(call: Callable[[], Any]) -> float:
    """Median time of a call, after two to warm up."""
    call()
    call()
    times: list[float] = []
    while len(times) < LEAST_CALLS or sum(times) < LEAST_S:
        begin_s = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin_s)
    return float(np.median(times)) * 1e3


def ours() -> list[dict[str, Any]]:
    """Each shipped network with the crops of one frame, and the generator's all together."""
    rows: list[dict[str, Any]] = []
    runtimes: tuple[RuntimeName, ...] = ("openvino", "torch-cpu")
    networks: tuple[Part, ...] = (*PARTS, "occlusion")
    for part in networks:
        config, count = CONFIGS[part], max(1, len(places_of(part)))
        size = config.size_px
        crops = np.random.default_rng(0).integers(0, 256, (count, size, size, config.inputs), np.uint8)
        times = {}
        for runtime in runtimes:
            network, _ = load_network(part, count, runtime)
            times[f"{runtime} {network.precision}"] = median_ms(partial(network, crops))
        millions = sum(w.size for w in load_weights(part).values()) / 1e6
        rows.append({"generator": f"mimicam {part}, {count} x {size} px", "millions": millions, "ms": times})
    drawn = rows[: len(PARTS)]
    whole = {name: sum(row["ms"][name] for row in drawn) for name in rows[0]["ms"]}
    total = {"generator": "mimicam, a whole frame", "millions": sum(r["millions"] for r in drawn), "ms": whole}
    return [*rows, total]


def published() -> list[dict[str, Any]]:
    """The published architectures at 256 x 256."""
    import torch

    from models.published import PUBLISHED

    rows = []
    for name, build in PUBLISHED.items():
        net = build().eval()
        example = net.example()
        millions = sum(p.numel() for p in net.parameters()) / 1e6
        with torch.inference_mode():
            times = {"torch-cpu f32": median_ms(lambda net=net, example=example: net(*example))}  # type: ignore[misc]
        core = ov.Core()
        precision = native_precision(core)
        exported = io.BytesIO()
        torch.onnx.export(net, example, exported, dynamo=False)
        compiled = compile_graph(core, exported.getvalue(), precision)
        times[f"openvino {precision}"] = median_ms(partial(compiled, [tensor.numpy() for tensor in example]))
        rows.append({"generator": name, "millions": millions, "ms": times})
    return rows


def run(report: Path, console: Console) -> None:
    """Measure, show and keep."""
    try:
        import torch
    except ImportError as error:
        raise ConfigError(
            wanted="torch, in which the published generators are written",
            found=str(error),
            advice="pip install 'mimicam[train]' in this environment.",
        ) from error
    rows = ours() + published()
    names = list(rows[0]["ms"])
    table = Table("generator", "million parameters", *(f"{name}, ms" for name in names), "fits into 33 ms")
    for row in rows:
        best = min(row["ms"].values())
        cells = [f"{row['ms'][name]:.1f}" for name in names]
        table.add_row(row["generator"], f"{row['millions']:.1f}", *cells, "yes" if best < FRAME_MS else "no")
    console.print(table)
    machine = describe()
    console.print(f"on {machine['processor']}, {machine['cores']} cores, torch {torch.__version__}")
    write_result(report, {"generators": rows, "machine": machine})

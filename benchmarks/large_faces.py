"""Does a larger crop keep a large face sharp: portraits moved away by the warp and brought back, on people held out of training.

    mimicam bench large-faces --data ../shared/data

The same weights in small and in large crops (`mimicam run --crops`), both laid back into a picture whose eyes are 160 pixels
apart, beside the warp alone. L1 in grey levels against the portrait, and sharpness as the ratio of mean gradients, output over
truth, both on lips or eyes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.quality import gradient
from benchmarks.results import write_result
from engine.machine import describe
from engine.render.crops import Part
from engine.render.generator import DETAIL, LARGE, PARTS, places_of
from kernels.lay_back.cpu import lay_back
from models.config import INPUTS
from models.runtimes import Network, load_network
from tools.training_pairs import Pairs

PORTRAITS: Final = 24  # draws of one of the portraits, each moved away at random
SHEET: Final = 8
Picture = NDArray[np.uint8]
Way = Callable[[Picture], Picture]  # from what a network sees, (n, size, size, inputs), to pictures (n, size, size, 3)


def run(data: Path, sheets: Path | None, report: Path, console: Console) -> None:
    """Measure, show and keep."""
    results = {part: _of_part(part, data, sheets) for part in PARTS}
    table = Table("part", "drawn by", "L1", "sharpness")
    for part, ways in results.items():
        for name, found in ways.items():
            table.add_row(part, name, f"{found['L1']:.1f}", f"{found['sharpness']:.2f}")
    console.print(table)
    write_result(report, {"parts": results, "machine": describe()})


def _of_part(part: Part, data: Path, sheets: Path | None) -> dict[str, dict[str, float]]:
    count = len(places_of(part))
    small, large = (load_network(part, count, "openvino", scale=scale)[0] for scale in (1, LARGE))
    ways: dict[str, Way] = {
        "warp": lambda seen: seen[..., :3],
        "small crops": lambda seen: _redrawn(small, part, seen, LARGE),
        "large crops": lambda seen: _redrawn(large, part, seen, 1),
    }
    pairs = Pairs(part, data / "train", 0, scale=LARGE, large=data / "portraits_hi", held_out=True)
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    columns: list[Picture] = []
    for _ in range(PORTRAITS):
        units = np.stack(pairs.large_units())[:, 0]
        truth, weight = units[..., INPUTS : INPUTS + 3], units[..., -1] / np.float32(255)
        drawn = {name: way(np.ascontiguousarray(units[..., :INPUTS])) for name, way in ways.items()}
        for name, pictures in drawn.items():
            rows[name] += [_compare(*each) for each in zip(pictures, truth, weight, strict=True)]
        columns.append(np.vstack([*(pictures[0] for pictures in drawn.values()), truth[0]]))
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(sheets / f"large_{part}.png"), np.hstack(columns[:SHEET]))
    return {name: _summary(np.array(found)) for name, found in rows.items()}


def _redrawn(network: Network, part: Part, seen: Picture, shrink: int) -> Picture:
    """The warp with a network's answer laid back, which saw it `shrink` times smaller."""
    size = seen.shape[1] // shrink
    crops = np.stack([cv2.resize(s, (size, size), interpolation=cv2.INTER_AREA) for s in seen])
    matrix = np.array([[[shrink, 0, (shrink - 1) / 2], [0, shrink, (shrink - 1) / 2]]], np.float32)
    drawn, pictures = network(crops), np.ascontiguousarray(seen[..., :3])
    for index, picture in enumerate(pictures):
        lay_back(picture, drawn[index : index + 1], crops[index : index + 1], matrix, DETAIL[part])
    return pictures


def _compare(output: Picture, truth: Picture, weight: NDArray[np.float32]) -> tuple[float, float, float]:
    """L1 and gradients of output and truth, on the part."""
    away = np.abs(output.astype(np.float32) - truth).mean(2)
    return tuple(float((v * weight).sum() / weight.sum()) for v in (away, gradient(output), gradient(truth)))  # type: ignore[return-value]


def _summary(rows: NDArray[Any]) -> dict[str, float]:
    away, output, truth = rows.mean(0).tolist()
    return {"L1": away, "sharpness": output / truth}

"""Does a larger crop keep a large face sharp: large portraits moved away by the warp and brought back.

    mimicam bench large-faces --data ../shared/data

The same weights in small and in large crops (`mimicam run --crops`), both laid back into a picture whose eyes are 160 pixels
apart, beside the warp alone. L1 in grey levels against the portrait, and sharpness as the ratio of mean gradients, output over
truth, both on lips or eyes. The portraits are those that training leaves out (`tools/training_pairs.py`); three of the four were
among the stills of 256 pixels that the shipped weights were trained on, and only 3x6_13 is new to them.
"""

from __future__ import annotations

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
from engine.render.generator import DETAIL, LARGE, PARTS, Networks, load_networks
from kernels.lay_back.cpu import lay_back
from models.config import INPUTS
from tools.training_pairs import Pairs

MOVES: Final = 12  # of each portrait
SEED: Final = 0
Picture = NDArray[np.uint8]


def run(data: Path, sheets: Path | None, report: Path, console: Console) -> None:
    """Measure, show and keep."""
    networks = {scale: _loaded(scale) for scale in (1, LARGE)}
    results = {part: _of_part(part, networks, data, sheets) for part in PARTS}
    table = Table("part", "portrait", "drawn by", "L1", "sharpness")
    for part, portraits in results.items():
        for portrait, ways in portraits.items():
            for name, found in ways.items():
                table.add_row(part, Path(portrait).stem, name, f"{found['L1']:.1f}", f"{found['sharpness']:.2f}")
    console.print(table)
    write_result(report, {"runtime": str(networks[1]), "parts": results, "machine": describe()})


def _loaded(scale: int) -> Networks:
    networks = load_networks("openvino", scale=scale)
    assert networks is not None  # but for `none` and `auto`
    return networks


def _of_part(
    part: Part, networks: dict[int, Networks], data: Path, sheets: Path | None
) -> dict[str, dict[str, dict[str, float]]]:
    """Figures by portrait and way, of networks by the scale of their crops."""
    pairs = {  # of one seed, so that both move in the same way
        scale: Pairs(part, data / "train", SEED, scale=scale, large=data / "portraits_hi", held_out=True)
        for scale in networks
    }
    found: dict[str, dict[str, dict[str, float]]] = {}
    columns: list[Picture] = []
    for index, portrait in enumerate(pairs[LARGE].large):
        rows: dict[str, list[tuple[float, ...]]] = {}
        for _ in range(MOVES):
            units = {scale: np.stack(p.units_of(p.large[index]))[:, 0] for scale, p in pairs.items()}
            seen = np.ascontiguousarray(units[LARGE][..., :3])
            truth, weight = units[LARGE][..., INPUTS : INPUTS + 3], units[LARGE][..., -1] / np.float32(255)
            drawn = {"warp": seen}
            for scale, name in ((1, "small crops"), (LARGE, "large crops")):
                crops = np.ascontiguousarray(units[scale][..., :INPUTS])
                drawn[name] = _redrawn(seen, networks[scale].by_part[part](crops), crops, part)
            for name, pictures in drawn.items():
                each = zip(pictures, truth, weight, strict=True)
                rows.setdefault(name, []).extend(_compare(*one) for one in each)
        columns.append(np.vstack([*(pictures[0] for pictures in drawn.values()), truth[0]]))
        found[portrait.name] = {name: _summary(np.array(some)) for name, some in rows.items()}
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(sheets / f"large_{part}.png"), np.hstack(columns))
    return found


def _redrawn(seen: Picture, drawn: NDArray[np.float32], crops: Picture, part: Part) -> Picture:
    """Large crops of the warp with what a network drew in its own `crops` laid back."""
    pictures, step = seen.copy(), seen.shape[1] / crops.shape[1]
    matrix = np.array([[[step, 0, (step - 1) / 2], [0, step, (step - 1) / 2]]], np.float32)
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

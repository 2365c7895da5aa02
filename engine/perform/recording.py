"""The performance file `NAME.performance`: what a performer did, without a picture of anybody.

An npz archive, n frames, nothing in it can be executed:

    header        bytes of a JSON object: format ("mimicam performance"), version, made_by
    time_s        (n,) float64, from 0, increasing
    seen          (n,) bool; where false the performer was lost and the other rows are zero
    angles_deg    (n, 3) float64: yaw, pitch, roll less the neutral's
    translation   (n, 3) float32, inter-ocular distances, the picture's axes
    scale         (n,) float64, 1 at the neutral distance
    rest_deg      (n, 3) float64: yaw, pitch, roll of the neutral before its camera; absent, and 0, in version 1
    offsets       (n, 478, 3) float32 from neutral, canonical frame, proportions of the reference face

What is stored is what the renderer was given, to the bit.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from engine.errors import SourceError
from engine.face.landmarks import COUNT
from engine.face.performance import HeadMotion, Performance
from engine.files import DAMAGED_ARRAY, write_whole
from engine.shipped import shipped

FORMAT: Final = "mimicam performance"
VERSION: Final = 2
SUFFIX: Final = ".performance"
MOST_FRAMES: Final = 54_000  # half an hour at 30 Hz, 310 MB in memory
LARGEST_HEADER_BYTES: Final = 64 * 1024
SHAPES: Final[dict[str, tuple[tuple[int, ...], type[np.generic]]]] = {
    "time_s": ((), np.float64),
    "seen": ((), np.bool_),
    "angles_deg": ((3,), np.float64),
    "translation": ((3,), np.float32),
    "scale": ((), np.float64),
    "rest_deg": ((3,), np.float64),
    "offsets": ((COUNT, 3), np.float32),
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame of a performance."""

    time_s: float  # since the first
    performance: Performance | None  # None: the performer was lost


def save_performance(moments: list[Moment], path: Path) -> None:
    """Write them. OutputError when the place can't be written."""
    seen = [m.performance or Performance.neutral() for m in moments]
    table: dict[str, NDArray[Any]] = {
        "time_s": np.array([m.time_s for m in moments], np.float64),
        "seen": np.array([m.performance is not None for m in moments], np.bool_),
        "angles_deg": np.array([p.head.angles_deg for p in seen], np.float64).reshape(-1, 3),
        "translation": np.array([p.head.translation for p in seen], np.float32).reshape(-1, 3),
        "scale": np.array([p.head.scale for p in seen], np.float64),
        "rest_deg": np.array([p.head.rest_deg for p in seen], np.float64).reshape(-1, 3),
        "offsets": np.array([p.offsets for p in seen], np.float32).reshape(-1, COUNT, 3),
    }
    header = {"format": FORMAT, "version": VERSION, "made_by": f"mimicam {version('mimicam')}"}
    content = io.BytesIO()
    np.savez_compressed(content, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **table)
    write_whole(path, content.getvalue(), "the performance")


def load_performance(path: Path) -> list[Moment]:
    """Read them. SourceError when the file is missing, damaged, too large, or from a newer version."""
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_large(path, archive)
        with np.load(path, allow_pickle=False) as table:
            found = _check_header(path, bytes(table["header"]))
            rows = {name: table[name] for name in SHAPES if found > 1 or name != "rest_deg"}
            rows.setdefault("rest_deg", np.zeros((len(rows["time_s"]), 3)))
    except FileNotFoundError as error:
        raise SourceError(
            wanted=f"a performance at {path}", found="there is nothing", advice="'mimicam perform record' makes one."
        ) from error
    except (OSError, ValueError, KeyError, EOFError, MemoryError, NotImplementedError, RuntimeError) as error:
        _damaged(path, str(error) or type(error).__name__)
    except (zipfile.BadZipFile, zlib.error, *DAMAGED_ARRAY) as error:
        _damaged(path, str(error))
    _check_rows(path, rows)
    return [_moment(rows, i) for i in range(len(rows["time_s"]))]


def find_performance(name: str) -> Path:
    """The file of a shipped performance, or the path that `name` is."""
    path = shipped("performances") / f"{name}{SUFFIX}"
    return path if path.is_file() else Path(name)


def _moment(rows: Mapping[str, NDArray[Any]], i: int) -> Moment:
    if not rows["seen"][i]:
        return Moment(float(rows["time_s"][i]), None)
    yaw, pitch, roll = (float(angle) for angle in rows["angles_deg"][i])
    rest_yaw, rest_pitch, rest_roll = (float(angle) for angle in rows["rest_deg"][i])
    head = HeadMotion(
        (yaw, pitch, roll), rows["translation"][i], float(rows["scale"][i]), (rest_yaw, rest_pitch, rest_roll)
    )
    return Moment(float(rows["time_s"][i]), Performance(head, rows["offsets"][i]))


def _refuse_large(path: Path, archive: zipfile.ZipFile) -> None:
    for name, (shape, dtype) in SHAPES.items():
        if f"{name}.npy" not in archive.namelist() and name == "rest_deg":
            continue
        most_bytes = MOST_FRAMES * int(np.prod(shape)) * np.dtype(dtype).itemsize + LARGEST_HEADER_BYTES
        if archive.getinfo(f"{name}.npy").file_size > most_bytes:
            _damaged(path, f"{name} is longer than {MOST_FRAMES} frames")
    if archive.getinfo("header.npy").file_size > LARGEST_HEADER_BYTES:
        _damaged(path, "its header is too long")


def _check_header(path: Path, content: bytes) -> int:
    """The file's version."""
    header = json.loads(content)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        _damaged(path, "its header names another format")
    found = header.get("version")
    if not isinstance(found, int) or found > VERSION:
        raise SourceError(
            wanted=f"a performance of version {VERSION} or older in {path}",
            found=f"version {found}",
            advice="Update mimicam, or record it again with this one.",
        )
    return found


def _check_rows(path: Path, rows: Mapping[str, NDArray[Any]]) -> None:
    count = len(rows["time_s"]) if rows["time_s"].ndim == 1 else -1
    for name, (shape, dtype) in SHAPES.items():
        if rows[name].shape != (count, *shape) or rows[name].dtype != dtype:
            _damaged(path, f"{name} is {rows[name].dtype} {rows[name].shape}")
    if count == 0:
        _damaged(path, "it has no frames")
    times_s = rows["time_s"]
    if not np.isfinite(times_s).all() or times_s[0] < 0 or (np.diff(times_s) <= 0).any():
        _damaged(path, "its times don't increase")


def _damaged(path: Path, what: str) -> NoReturn:
    raise SourceError(wanted=f"a readable performance in {path}", found=what, advice="Copy it again or record it anew.")

"""A calibration as an object: one performer before one camera, kept from one run to the next.

A safetensors file (nothing in it can be executed): `shape` (478, 3) and the pose of the neutral face, the learnt `ranges` (52,),
and as its metadata format, version, performer and camera. It describes a face: it stays on this machine, in the user's own
folder.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from engine.errors import ConfigError, OutputError
from engine.face import arkit
from engine.face import landmarks as lm
from engine.face.calibration import Neutral
from engine.face.pose import Pose
from engine.files import write_whole
from engine.home import home

FORMAT: Final = "mimicam calibration"
VERSION: Final = 1
LARGEST: Final = 1e5  # of any number in it, px
SUFFIX: Final = ".calibration"
SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "shape": (lm.COUNT, 3), "rotation": (3, 3), "translation": (3,), "scale": (1,), "ranges": (arkit.COUNT,)
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What was learnt of a performer."""

    neutral: Neutral
    ranges: arkit.Coefficients  # (52,), as `Ranges.most`


def profile_folder() -> Path:
    """MIMICAM_CALIBRATIONS, else `calibrations` in mimicam's home."""
    return Path(os.environ.get("MIMICAM_CALIBRATIONS") or home("calibrations"))


def profile_path(performer: str, camera: str) -> Path:
    """Where the calibration of a performer before a camera lies."""
    name = "@".join(re.sub(r"[^\w.-]+", "-", part).strip("-") or "-" for part in (performer, camera))
    return profile_folder() / f"{name}{SUFFIX}"


def save_profile(profile: Profile, path: Path, performer: str, camera: str) -> None:
    """Write it. OutputError where the place can't be written."""
    pose = profile.neutral.pose
    table: dict[str, NDArray[np.float32]] = {
        "shape": profile.neutral.shape, "rotation": pose.rotation, "translation": pose.translation,
        "scale": np.array([pose.scale]), "ranges": profile.ranges,
    }  # fmt: skip
    arrays = {name: np.ascontiguousarray(values, np.float32) for name, values in table.items()}
    header = {"format": FORMAT, "version": str(VERSION), "performer": performer, "camera": camera}
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutputError(
            wanted=f"a folder for calibrations, {path.parent}",
            found=error.strerror or str(error),
            advice="Set MIMICAM_CALIBRATIONS to one that can be written, or say --forget.",
        ) from error
    write_whole(path, save(arrays, header), "the calibration")


def load_profile(path: Path) -> Profile:
    """Read one. ConfigError when it is damaged or from a newer version."""
    try:
        with safe_open(path, framework="numpy") as table:
            _check_header(path, table.metadata() or {})
            arrays = {name: table.get_tensor(name) for name in SHAPES}
    except (OSError, SafetensorError) as error:
        raise _unusable(path, str(error)) from error
    for name, shape in SHAPES.items():
        if arrays[name].shape != shape or not (np.abs(arrays[name]) < LARGEST).all():
            raise _unusable(path, f"its {name} makes no sense")
    if arrays["scale"][0] <= 0 or lm.inter_ocular(arrays["shape"]) <= 0:
        raise _unusable(path, "its face has no size")
    pose = Pose(arrays["rotation"], arrays["translation"], float(arrays["scale"][0]))
    return Profile(Neutral(arrays["shape"], pose), np.clip(arrays["ranges"], 0.05, 1))


def _check_header(path: Path, header: dict[str, Any]) -> None:
    if header.get("format") != FORMAT or not str(header.get("version")).isdigit():
        raise _unusable(path, "its header names another format")
    if int(header["version"]) > VERSION:
        raise _unusable(path, f"version {header['version']}, newer than this mimicam")


def _unusable(path: Path, found: str) -> ConfigError:
    return ConfigError(
        wanted=f"a readable calibration in {path}", found=found, advice="Delete the file; the next run calibrates anew."
    )

"""Shipped weights: one safetensors file for each network, fp16, with the hash that it must have."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

Weights = dict[str, NDArray[np.float32]]
PEAK = ".peak"  # after a layer's name: the largest number of its answer (`tools/measure_peaks.py`)
SUMS = "SHA256SUMS"


class DamagedWeightsError(Exception):
    """A weights file is missing or isn't the one that was shipped."""


def weights_folder() -> Path:
    """Where the shipped weights lie."""
    return Path(__file__).parent / "weights"


def read_sums(folder: Path) -> dict[str, str]:
    """Hashes by file name, as `sha256sum` writes them."""
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def write_with_sum(path: Path, data: bytes) -> None:
    """Write a file to ship, and its hash beside it."""
    path.write_bytes(data)
    folder = path.parent
    sums = (read_sums(folder) if (folder / SUMS).exists() else {}) | {path.name: hashlib.sha256(data).hexdigest()}
    lines = [f"{digest}  {name}\n" for name, digest in sorted(sums.items())]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def read_shipped(path: Path) -> bytes:
    """A shipped file. DamagedWeightsError when its hash isn't that which lies beside it."""
    try:
        data, wanted = path.read_bytes(), read_sums(path.parent).get(path.name)
    except OSError as error:
        raise DamagedWeightsError(f"{path}: {error.strerror}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise DamagedWeightsError(f"{path} has the hash {found[:12]}..., wanted is {str(wanted)[:12]}...")
    return data


def load_weights(name: str, folder: Path | None = None) -> Weights:
    """Tensors of a network by their names in its module. DamagedWeightsError when the file's hash is another."""
    data = read_shipped((folder or weights_folder()) / f"{name}.safetensors")
    return {key: tensor.astype(np.float32) for key, tensor in load(data).items()}

"""Which kernels there are and which implementations of each can run here.

A kernel folder holds `__init__.py` (the contract), `reference.py` (the definition, NumPy, slow) and one file for each
implementation, all with one function of the kernel's name and one order of arguments. `cuda.py` launches the kernel's CUDA
C++ on a device, its first argument: on a GPU, or emulated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, Final

import numpy as np

from kernels.device import Buffer, Device, uploaded

KERNELS: Final = (
    "warp_mesh", "sample", "soften_edges", "composite", "feather", "blend_multiband", "blend_poisson", "match_colour",
    "crop_normalise", "lay_back", "embed_mark", "fold_tiles",
)  # fmt: skip
CPU_ONLY: Final = ("fold_tiles",)  # of `mimicam verify`, which needs no GPU


def load(kernel: str, implementation: str, device: Device | None = None) -> Callable[..., None]:
    """The function of one implementation, `reference`, `cpu` or `cuda`, on NumPy's arrays; `cuda` needs a device.

    For tests and benchmarks, which go through all of them; the renderer imports the form that it uses by name.
    """
    function: Callable[..., None] = getattr(import_module(f"kernels.{kernel}.{implementation}"), kernel)
    if implementation != "cuda":
        return function
    assert device is not None
    return partial(_on_device, function, device)


def _on_device(function: Callable[..., None], device: Device, *arguments: Any) -> None:
    """Every array there and back again."""
    there = [uploaded(device, a) if isinstance(a, np.ndarray) else a for a in arguments]
    function(device, *there)
    for here, buffer in zip(arguments, there, strict=True):
        if isinstance(buffer, Buffer) and here.flags.writeable:
            here[...] = device.download(buffer)

"""Which kernels there are and which implementations of each can run here.

A kernel folder holds `__init__.py` (the contract), `reference.py` (the definition, NumPy, slow) and one file for each
implementation, all with one function of the kernel's name and one order of arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final

KERNELS: Final = (
    "warp_mesh", "sample", "soften_edges", "composite", "feather", "blend_multiband", "blend_poisson", "match_colour",
    "embed_mark", "fold_tiles",
)  # fmt: skip
IMPLEMENTATIONS: Final = ("cpu",)  # "cuda" takes its place in front of it


def load(kernel: str, implementation: str) -> Callable[..., None]:
    """The function of one implementation; `reference` is one as well.

    For tests and benchmarks, which go through all of them; the renderer imports the CPU form by name until there is a choice.
    """
    function: Callable[..., None] = getattr(import_module(f"kernels.{kernel}.{implementation}"), kernel)
    return function

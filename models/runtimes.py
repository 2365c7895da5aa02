"""What executes the networks: a table, best first. Asked for by name there is no fallback.

Every runtime takes crops as they are, (n, size, size, 10) uint8, and gives (n, size, size, 4) float32: the colour it would
draw, BGR in [0, 255], and the matte in [0, 1]. All agree with torch in fp32 within `TOLERANCE`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from models.config import CONFIGS
from models.weights import load_weights

RuntimeName = Literal["torch-cuda", "openvino", "torch-cpu"]
TOLERANCE: Final = {"f32": 0.1, "f16": 2.0, "bf16": 2.0}  # grey levels of colour; bf16 keeps 8 bits of each number


class UnavailableError(Exception):
    """A runtime can't be used here; the message says why."""


class Network(Protocol):
    """One network, loaded and ready for a fixed number of crops."""

    precision: str  # what it computes in: bf16 or f32

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See the top of this file."""
        ...


def _openvino(part: str, count: int) -> Network:
    if find_spec("openvino") is None:
        raise UnavailableError("the package openvino is not installed")
    from models.openvino_runtime import OpenVinoNetwork

    return OpenVinoNetwork(load_weights(part), CONFIGS[part], count)


def _torch(device: str) -> Callable[[str, int], Network]:
    def load(part: str, count: int) -> Network:
        if find_spec("torch") is None:
            raise UnavailableError("the package torch is not installed")
        import torch

        from models.torch_runtime import TorchNetwork

        if device == "cuda" and not torch.cuda.is_available():
            raise UnavailableError("torch finds no CUDA device")
        return TorchNetwork(load_weights(part), CONFIGS[part], device)

    return load


RUNTIMES: Final[dict[RuntimeName, Callable[[str, int], Network]]] = {
    "torch-cuda": _torch("cuda"),
    "openvino": _openvino,
    "torch-cpu": _torch("cpu"),
}


def load_network(part: str, count: int, runtime: RuntimeName | Literal["auto"]) -> tuple[Network, RuntimeName]:
    """The network of `part` for `count` crops at a time, and the runtime that was chosen.

    UnavailableError names every runtime that was tried, with its reason.
    """
    names: list[RuntimeName] = list(RUNTIMES) if runtime == "auto" else [runtime]
    reasons = []
    for name in names:
        try:
            return RUNTIMES[name](part, count), name
        except UnavailableError as error:
            reasons.append(f"{name}: {error}")
    raise UnavailableError("; ".join(reasons))

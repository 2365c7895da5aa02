"""What executes the networks: a table, best first. Asked for by name there is no fallback.

Every runtime takes crops as they are, (n, size, size, inputs) uint8, and gives (n, size, size, outputs) float32: the colour
it would draw, BGR in [0, 255], where its config has one, and the matte in [0, 1]. `TOLERANCE` says how far each precision may
be from torch in fp32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.config import CONFIGS, RendererConfig
from models.weights import Weights, load_weights

RuntimeName = Literal["openvino", "torch-cpu", "torch-cuda", "tensorrt"]
Precision = Literal["f32", "f16", "bf16", "i8"]
# Grey levels of the picture, at 99.9 % of its pixels; of the matte a hundredth of that. bf16 keeps 8 bits of each number, f16 11,
# i8 has 255 steps for all of a layer: 5.7 and 0.10 were measured over 800 crops.
TOLERANCE: Final[dict[Precision, float]] = {"f32": 0.1, "f16": 2.0, "bf16": 2.0, "i8": 12.0}
# torch's on a GPU are for pictures that a GPU draws (`engine/render/generator.py`); no engine of TensorRT was executed yet.
BY_NAME_ONLY: Final[tuple[RuntimeName, ...]] = ("torch-cuda", "tensorrt")
Load = Callable[[Weights, RendererConfig, int], "Network"]  # for so many crops at a time


class UnavailableError(Exception):
    """A runtime can't be used here; the message says why."""


class Network(Protocol):
    """One network, loaded and ready for a fixed number of crops."""

    precision: Precision  # what it computes in

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See the top of this file."""
        ...


@runtime_checkable
class StreamNetwork(Network, Protocol):
    """A network that can work in a GPU's memory, on a stream of its primary context."""

    capturable: bool  # what it queues can become part of a CUDA graph, once it has been queued before

    def bound(self, crops_address: int, drawn_address: int, stream: int) -> Callable[[], None]:
        """What queues its work: from crops as planes (n, inputs, size, size) float16, in [-1, 1], to its answer. Both addresses
        stay as they are. Whoever calls it has made the context current."""
        ...


class Losable:
    """A network on a GPU. Once that is lost it answers that nothing is to be changed, for good, and the run goes on."""

    def __init__(self, network: StreamNetwork, outputs: int, tell: Callable[[str], object]) -> None:
        """`tell` hears why it was lost."""
        self.precision, self.capturable, self.bound = network.precision, network.capturable, network.bound
        self._network, self._outputs, self._tell = network, outputs, tell
        self._lost = False

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See the top of this file."""
        if not self._lost:
            try:
                return self._network(crops)
            except (
                Exception
            ) as error:  # driver, context and memory have errors of their own, in packages that may be missing
                self._lost = True
                self._tell(f"without this network from now on: {type(error).__name__}: {error}")
        return np.zeros((*crops.shape[:3], self._outputs), np.float32)


def _openvino(weights: Weights, config: RendererConfig, count: int) -> Network:
    from models.openvino_runtime import OpenVinoNetwork

    return OpenVinoNetwork(weights, config, count)


def _tensorrt(weights: Weights, config: RendererConfig, count: int) -> Network:
    try:
        from models.tensorrt_runtime import TensorRtNetwork

        return TensorRtNetwork(weights, config, count)
    except (
        Exception
    ) as error:  # driver, context and memory each have errors of their own, in packages that may be missing
        raise UnavailableError(f"{type(error).__name__}: {error}") from error


def _torch(device: str) -> Load:
    def load(weights: Weights, config: RendererConfig, count: int) -> Network:
        import torch

        from models.torch_runtime import CudaTorchNetwork, TorchNetwork

        if device == "cuda" and not torch.cuda.is_available():
            raise UnavailableError("torch finds no CUDA device")
        kind = CudaTorchNetwork if device == "cuda" else TorchNetwork
        return kind(weights, config, count)

    return load


RUNTIMES: Final[dict[RuntimeName, Load]] = {
    "openvino": _openvino,
    "torch-cpu": _torch("cpu"),
    "torch-cuda": _torch("cuda"),
    "tensorrt": _tensorrt,
}
assert tuple(RUNTIMES) == get_args(RuntimeName)


def load_network(
    part: str,
    count: int,
    runtime: RuntimeName | Literal["auto"],
    tell: Callable[[str], object] = lambda text: None,
    scale: int = 1,
) -> tuple[Network, RuntimeName]:
    """The network of `part` for `count` crops at a time, of `scale` times its size, and the runtime that was chosen. `tell` hears
    if a GPU is lost later.

    UnavailableError names every runtime that was tried, with its reason.
    """
    weights, config = load_weights(part), CONFIGS[part].enlarged(scale)
    names = [name for name in RUNTIMES if name not in BY_NAME_ONLY] if runtime == "auto" else [runtime]
    reasons = []
    for name in names:
        try:
            network = RUNTIMES[name](weights, config, count)
            if isinstance(network, StreamNetwork):
                network = Losable(network, config.outputs, tell)
            return network, name
        except (
            UnavailableError,
            ImportError,
            OSError,
            RuntimeError,
        ) as error:  # a broken package has many ways to say so
            reasons.append(f"{name}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
    raise UnavailableError("; ".join(reasons))

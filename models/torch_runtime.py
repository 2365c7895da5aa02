"""A network in torch: the definition itself, on the CPU in fp32 or on a GPU in fp16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.config import RendererConfig
from models.renderer import Renderer, with_detail
from models.runtimes import Precision
from models.weights import PEAK, Weights

Net = TypeVar("Net", bound=nn.Module)
WARM_UP = 3  # before a capture: libraries load and choose


def load_into(network: Renderer, weights: Weights) -> None:
    """Shipped weights, all of them but the peaks; torch's counters of batches, which are not shipped, stay."""
    counters = {k: v for k, v in network.state_dict().items() if k.endswith("num_batches_tracked")}
    network.load_state_dict(counters | {k: torch.from_numpy(v) for k, v in weights.items() if not k.endswith(PEAK)})


class TorchNetwork:
    """A network on the CPU."""

    precision: Precision = "f32"
    device, dtype = "cpu", torch.float32

    def __init__(self, weights: Weights, config: RendererConfig, count: int) -> None:
        """For so many crops at a time."""
        self._config, self._count = config, count
        self._net = Renderer(config)
        load_into(self._net, weights)
        self._net = _folded(self._net.eval()).to(
            device=self.device, dtype=self.dtype, memory_format=torch.channels_last
        )

    @torch.inference_mode()
    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, size, size, inputs) uint8 to (n, size, size, outputs): colour in [0, 255], matte in [0, 1]."""
        x = torch.from_numpy(crops).to(self.device).permute(0, 3, 1, 2).to(self.dtype) / 127.5 - 1
        return self._drawn(x).contiguous().cpu().numpy()

    def _drawn(self, x: torch.Tensor) -> torch.Tensor:
        """(n, size, size, outputs) of planes in [-1, 1]."""
        colour, matte = self._net(x.contiguous(memory_format=torch.channels_last))
        if self._config.detail is not None:
            colour = with_detail(x, colour, self._config.detail)
        whole = torch.cat([(colour + 1) * 127.5, matte], 1).float()
        return whole.permute(0, 2, 3, 1)


class CudaTorchNetwork(TorchNetwork):
    """A network on a GPU, in fp16."""

    precision: Precision = "f16"
    device, dtype = "cuda", torch.float16
    capturable = False  # it is a graph of torch's own

    def __init__(self, weights: Weights, config: RendererConfig, count: int) -> None:
        """As `TorchNetwork`; the weights have arrived when it returns."""
        super().__init__(weights, config, count)
        torch.cuda.synchronize()

    def bound(self, crops_address: int, drawn_address: int, stream: int) -> Callable[[], None]:
        """See `StreamNetwork`. Captured once, since its launches one by one take longer than their work."""
        size, config = self._config.size_px, self._config
        crops = _at(crops_address, (self._count, config.inputs, size, size), "<f2")
        drawn = _at(drawn_address, (self._count, size, size, config.outputs), "<f4")
        own = torch.cuda.ExternalStream(stream)

        @torch.inference_mode()
        def work() -> None:
            drawn.copy_(self._drawn(crops))

        with torch.backends.cudnn.flags(enabled=True, benchmark=True):  # the fastest of its ways, tried in the warm-up
            with torch.cuda.stream(own):
                for _ in range(WARM_UP):
                    work()
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=own, capture_error_mode="thread_local"):  # others allocate meanwhile
                work()

        def queue() -> None:
            with torch.cuda.stream(own):
                graph.replay()

        return queue


def _folded(net: Net) -> Net:
    """Each batch norm made part of the convolution before it, which in use it is."""
    for child in net.children():
        _folded(child)
        if isinstance(child, nn.Sequential) and len(child) > 1 and isinstance(child[1], nn.BatchNorm2d):
            child[0], child[1] = fuse_conv_bn_eval(child[0], child[1]), nn.Identity()
    return net


def _at(address: int, shape: tuple[int, ...], kind: str) -> torch.Tensor:
    """Memory of a GPU that is somebody else's, as a tensor."""

    class Memory:
        __cuda_array_interface__: ClassVar[dict[str, Any]] = {
            "shape": shape, "typestr": kind, "data": (address, False), "version": 3, "strides": None,
        }  # fmt: skip

    return torch.as_tensor(Memory(), device="cuda")

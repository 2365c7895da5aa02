"""An ONNX graph in torch, on the CPU or a GPU: as many operators as `models/tflite_graph.py` writes.

On a GPU the graph becomes a CUDA graph, since its hundreds of small launches would take longer than their work, and computes in
fp32 throughout: landmarks move by more than a tenth of a pixel in TF32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor
from torch.nn import functional as F

WARM_UP: Final = 3  # before a capture: libraries load and choose
Attributes = dict[str, Any]
Operator = Callable[[list[Tensor], Attributes], Tensor]


class TorchGraph:
    """See the top of this file. Use it from one thread at a time."""

    def __init__(self, graph: bytes, device: str) -> None:
        """For inputs of the graph's own shapes, on `cpu` or `cuda`. KeyError for an operator that isn't known."""
        self._model = onnx.load_from_string(graph).graph
        self._device = torch.device(device)
        self._constants = {
            c.name: torch.from_numpy(np.array(numpy_helper.to_array(c))) for c in self._model.initializer
        }
        self._steps = [
            (OPERATORS[n.op_type], list(n.input), n.output[0], {a.name: helper.get_attribute_value(a) for a in n.attribute})
            for n in self._model.node
        ]  # fmt: skip
        self._there = {name: c.to(device) for name, c in self._constants.items() if c.dtype.is_floating_point}
        self._inputs = {
            i.name: torch.zeros([d.dim_value for d in i.type.tensor_type.shape.dim], device=device)
            for i in self._model.input
        }
        shapes = {o.name: [d.dim_value for d in o.type.tensor_type.shape.dim] for o in self._model.output}
        ends = np.cumsum([0, *map(prod, shapes.values())]).tolist()
        parts = map(slice, ends[:-1], ends[1:])
        self._parts = [(name, part, shape) for part, (name, shape) in zip(parts, shapes.items(), strict=True)]
        self._answer = torch.empty(0)  # all outputs in one array: one copy brings them home
        self._again: Callable[[], None] = self._recorded() if self._device.type == "cuda" else self._work

    def __call__(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """All outputs by name."""
        for name, value in inputs.items():
            self._inputs[name].copy_(torch.from_numpy(value))
        self._again()
        answer = self._answer.cpu().numpy()
        return {name: answer[part].reshape(shape) for name, part, shape in self._parts}

    @torch.inference_mode()
    def _work(self) -> None:
        """Constants that say where and how much (indices, shapes) stay on the CPU, so that nothing waits for the GPU."""
        values = self._constants | self._there | self._inputs
        for operator, inputs, output, attributes in self._steps:
            values[output] = operator([values[name] for name in inputs], attributes)
        self._answer = torch.cat([values[name].reshape(-1) for name, _, _ in self._parts])

    def _recorded(self) -> Callable[[], None]:
        stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False), torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._work()
            torch.cuda.synchronize()
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):  # others allocate meanwhile
                self._work()
        torch.cuda.synchronize()
        return graph.replay


def _convolution(x: list[Tensor], a: Attributes) -> Tensor:
    top, left, bottom, right = a["pads"]
    return F.conv2d(F.pad(x[0], (left, right, top, bottom)), x[1], x[2], a["strides"], groups=a["group"])


def _max_pool(x: list[Tensor], a: Attributes) -> Tensor:
    top, left, bottom, right = a["pads"]
    return F.max_pool2d(F.pad(x[0], (left, right, top, bottom), value=-torch.inf), a["kernel_shape"], a["strides"])


def _pad(x: list[Tensor], a: Attributes) -> Tensor:
    first, last = x[1].reshape(2, -1).tolist()
    return F.pad(x[0], [n for pair in zip(first[::-1], last[::-1], strict=True) for n in pair])


def _slice(x: list[Tensor], a: Attributes) -> Tensor:
    result, (first, last, axes, *steps) = x[0], (t.tolist() for t in x[1:])
    for begin, end, axis, step in zip(first, last, axes, steps[0] if steps else [1] * len(axes), strict=True):
        result = result[(slice(None),) * axis + (slice(begin, end, step),)]
    return result


def _gather(x: list[Tensor], a: Attributes) -> Tensor:
    """By indices that follow each other in parts: no array of indices has to be on the device."""
    return torch.stack([x[0].select(a["axis"], index) for index in x[1].tolist()], a["axis"])


def _grid_sample(x: list[Tensor], a: Attributes) -> Tensor:
    return F.grid_sample(x[0], x[1], mode="bilinear", padding_mode="zeros", align_corners=False)


def _reduce_min(x: list[Tensor], a: Attributes) -> Tensor:
    return x[0].amin(a["axes"], keepdim=bool(a["keepdims"]))


def _reduce_max(x: list[Tensor], a: Attributes) -> Tensor:
    return x[0].amax(a["axes"], keepdim=bool(a["keepdims"]))


OPERATORS: Final[dict[str, Operator]] = {
    "Abs": lambda x, a: x[0].abs(),
    "Add": lambda x, a: x[0] + x[1],
    "Cast": lambda x, a: x[0].float(),
    "Concat": lambda x, a: torch.cat(x, a["axis"]),
    "Conv": _convolution,
    "Div": lambda x, a: x[0] / x[1],
    "Gather": _gather,
    "GridSample": _grid_sample,
    "Identity": lambda x, a: x[0],
    "LessOrEqual": lambda x, a: x[0] <= x[1],
    "MatMul": lambda x, a: x[0] @ x[1],
    "MaxPool": _max_pool,
    "Mul": lambda x, a: x[0] * x[1],
    "Neg": lambda x, a: -x[0],
    "PRelu": lambda x, a: F.prelu(x[0], x[1].flatten()),
    "Pad": _pad,
    "ReduceMax": _reduce_max,
    "ReduceMin": _reduce_min,
    "Relu": lambda x, a: x[0].relu(),
    "Reshape": lambda x, a: x[0].reshape(x[1].tolist()),
    "Slice": _slice,
    "Sqrt": lambda x, a: x[0].sqrt(),
    "Sub": lambda x, a: x[0] - x[1],
    "Transpose": lambda x, a: x[0].permute(a["perm"]),
}

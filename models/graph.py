"""A network as an ONNX graph, built from the weights themselves: what OpenVINO and TensorRT read.

The graph is that of `models/renderer.py` with the batch norms folded into the convolutions; a test holds both together.
No exported file is shipped, and torch is not needed. In `f16` all weights and numbers inside are fp16, as TensorRT's
strongly typed networks want it, and so are the crops, which come as the kernel `crop_normalise` leaves them on a GPU. `i8`
convolves in whole numbers of 8 bits (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018, section 2): answers of layers in 255 steps up to their peak, kernels in 63 to
either side for each channel; what follows the last convolution stays in f32.

    crops   (n, size, size, inputs) uint8, or in `f16` (n, inputs, size, size) float16 in [-1, 1]
    drawn   (n, size, size, outputs) float32: colour BGR in [0, 255] where the network draws one, matte in [0, 1]
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.config import Detail, RendererConfig
from models.weights import PEAK, Weights

OPSET, IR_VERSION = 17, 8  # read by OpenVINO 2023 and TensorRT 8.6 and later
EPSILON = 1e-5  # of torch's batch norm
SMALLEST_PEAK = 1e-5  # of whole numbers, of layers and kernels: some are 0 throughout
LARGEST_WEIGHT = 63  # of whole numbers: processors without VNNI add two products in 16 bits
Numbers = Literal["f32", "f16", "i8"]


def build_graph(weights: Weights, config: RendererConfig, count: int, numbers: Numbers = "f32") -> onnx.ModelProto:
    """The graph for `count` crops at a time. KeyError for `i8` where the weights have no peaks."""
    graph = _Graph(_with_shared_peaks(weights, config) if numbers == "i8" else weights, config, numbers)
    planes = "crops" if numbers == "f16" else graph.from_bytes("crops")
    x = graph.add("SpaceToDepth", planes, blocksize=2)
    if numbers == "i8":
        x = graph.in_bytes(x, 1 / 127, np.int8)
    skips = []
    for level in range(4):
        x = graph.conv_relu(x, f"down.{level}", stride=1 if level == 0 else 2)
        skips.append(x)
    for block in range(config.blocks):
        name = f"bottom.{block}"
        inner = graph.conv(graph.conv_relu(x, f"{name}.first"), f"{name}.second")
        x = graph.relu(graph.add("Add", x, inner), name)
    for level in range(3):
        x = graph.conv_relu(graph.add("Concat", graph.twice(x), skips[2 - level], axis=1), f"up.{level}")
    x = graph.add("DepthToSpace", graph.plain(x, "head"), blocksize=2, mode="CRD")
    graph.to_picture(graph.answer(x, planes), "drawn")
    return graph.model(count)


def _with_shared_peaks(weights: Weights, config: RendererConfig) -> Weights:
    """The weights with one peak for both halves of each concatenation: bytes with different steps can't be joined as they are."""
    shared = dict(weights)
    for skip, below in (("down.2", f"bottom.{config.blocks - 1}"), ("down.1", "up.0"), ("down.0", "up.1")):
        shared[skip + PEAK] = shared[below + PEAK] = np.maximum(weights[skip + PEAK], weights[below + PEAK])
    return shared


class _Graph:
    """Nodes and constants under construction; every method returns the name of what it added."""

    def __init__(self, weights: Weights, config: RendererConfig, numbers: Numbers) -> None:
        first = "down.0.0.weight"  # torch unshuffles to channel * 4 + block, ONNX to block * channels + channel
        kernel = weights[first].reshape(-1, config.inputs, 4, 3, 3).swapaxes(1, 2).reshape(weights[first].shape)
        self._weights, self._config, self._whole = weights | {first: kernel}, config, numbers == "i8"
        self._dtype = np.float16 if numbers == "f16" else np.float32
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output."""
        name = f"{kind.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: NDArray[np.generic]) -> str:
        """A constant as it is."""
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def number(self, value: float) -> str:
        """A constant in the graph's precision."""
        return self.constant(np.array(value, self._dtype))

    def from_bytes(self, name: str) -> str:
        """Bytes with channels last to numbers in [-1, 1] with channels first."""
        x = self.add("Transpose", self.add("Cast", name, to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
        return self.add("Sub", self.add("Mul", x, self.number(1 / 127.5)), self.number(1))

    def answer(self, x: str, planes: str) -> str:
        """What the head gave as colours in [0, 255] and matte."""
        if not self._config.colours:
            return self.add("Sigmoid", x)
        colour, matte = self.split(x, self._config.colours, 1)
        colour, matte = self.add("Tanh", colour), self.add("Sigmoid", matte)
        if self._config.detail is not None:
            colour = self._with_detail(planes, colour, self._config.detail)
        colour = self.add("Mul", self.add("Add", colour, self.number(1)), self.number(127.5))
        return self.add("Concat", colour, matte, axis=1)

    def _with_detail(self, planes: str, colour: str, detail: Detail) -> str:
        """As `models.renderer.with_detail`."""
        warp, inside, _ = self.split(planes, 3, 1, self._config.inputs - 4)
        inside = self.add("Mul", self.add("Add", inside, self.number(1)), self.number(0.5))
        # a sum of all pixels would be much for fp16
        cells = self.add("AveragePool", inside, kernel_shape=[8, 8], strides=[8, 8])
        opened = self.add("ReduceMean", cells, axes=[2, 3], keepdims=1)
        wide = self.add("Sub", opened, self.number(detail.narrow))
        wide = self.add("Mul", wide, self.number(1 / (detail.wide - detail.narrow)))
        wide = self.add("Clip", wide, self.number(0), self.number(1))
        kept = self.add("Mul", wide, self.mean_around(inside, detail.rim_px))
        fine = self.add("Sub", warp, self.mean_around(warp, detail.window_px))
        added = self.add("Mul", self.add("Mul", kept, self.number(detail.share)), fine)
        return self.add("Clip", self.add("Add", colour, added), self.number(-1), self.number(1))

    def mean_around(self, x: str, window_px: int) -> str:
        """The mean over a window around each pixel, of what lies in the picture."""
        half = window_px // 2
        for shape, pads in (([window_px, 1], [half, 0, half, 0]), ([1, window_px], [0, half, 0, half])):
            x = self.add("AveragePool", x, kernel_shape=shape, pads=pads, count_include_pad=0)
        return x

    def split(self, x: str, *channels: int) -> list[str]:
        """A part for each count of channels."""
        names = [f"part{len(self._nodes)}_{i}" for i in range(len(channels))]
        self._nodes.append(helper.make_node("Split", [x, self.constant(np.array(channels, np.int64))], names, axis=1))
        return names

    def to_picture(self, x: str, name: str) -> None:
        """The answer under its name, channels last."""
        whole = self.add("Transpose", x, perm=[0, 2, 3, 1])
        self._nodes.append(helper.make_node("Cast", [whole], [name], to=TensorProto.FLOAT))

    def conv(self, x: str, name: str, stride: int = 1) -> str:
        """Convolution `name.0` with the batch norm `name.1` folded in."""
        w = self._weights
        gain = w[f"{name}.1.weight"] / np.sqrt(w[f"{name}.1.running_var"] + EPSILON)
        kernel = w[f"{name}.0.weight"] * gain[:, None, None, None]
        return self._convolve(x, kernel, w[f"{name}.1.bias"] - gain * w[f"{name}.1.running_mean"], stride)

    def conv_relu(self, x: str, name: str, stride: int = 1) -> str:
        """The same with a ReLU after it."""
        return self.relu(self.conv(x, name, stride), name)

    def relu(self, x: str, name: str) -> str:
        """What is positive of the layer `name`, in the bytes of its peak."""
        x = self.add("Relu", x)
        if not self._whole:
            return x
        return self.in_bytes(x, np.maximum(self._weights[name + PEAK], SMALLEST_PEAK) / 255, np.uint8)

    def in_bytes(self, x: str, step: Any, kind: type[np.int8] | type[np.uint8]) -> str:
        """Numbers as bytes of that kind hold them, in steps."""
        step_and_zero = self.number(step), self.constant(np.array(0, kind))
        return self.add("DequantizeLinear", self.add("QuantizeLinear", x, *step_and_zero), *step_and_zero)

    def plain(self, x: str, name: str) -> str:
        """A convolution with its own bias."""
        return self._convolve(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"], 1)

    def twice(self, x: str) -> str:
        """Nearest-neighbour enlargement by two in both directions."""
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.add("Resize", x, "", scales, **how)

    def _convolve(self, x: str, kernel: NDArray[np.float32], bias: NDArray[np.float32], stride: int) -> str:
        names = [self._kernel(kernel), self.constant(bias.astype(self._dtype))]
        return self.add("Conv", x, *names, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[stride, stride])

    def _kernel(self, kernel: NDArray[np.float32]) -> str:
        """A constant as it is, or in whole numbers with a step for each channel of its answer."""
        if not self._whole:
            return self.constant(kernel.astype(self._dtype))
        steps = np.maximum(np.abs(kernel).max((1, 2, 3)), SMALLEST_PEAK) / LARGEST_WEIGHT
        whole = np.round(kernel / steps[:, None, None, None]).astype(np.int8)
        zeros = np.zeros(len(steps), np.int8)
        names = [self.constant(value) for value in (whole, steps.astype(self._dtype), zeros)]
        return self.add("DequantizeLinear", *names, axis=0)

    def model(self, count: int) -> onnx.ModelProto:
        """Everything, checked."""
        size, inputs, outputs = self._config.size_px, self._config.inputs, self._config.outputs
        half = self._dtype is np.float16
        kind, shape = (TensorProto.FLOAT16, [inputs, size, size]) if half else (TensorProto.UINT8, [size, size, inputs])
        crops = helper.make_tensor_value_info("crops", kind, [count, *shape])
        drawn = helper.make_tensor_value_info("drawn", TensorProto.FLOAT, [count, size, size, outputs])
        graph = helper.make_graph(self._nodes, "renderer", [crops], [drawn], self._constants)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="mimicam")
        onnx.checker.check_model(model, full_check=True)
        return model

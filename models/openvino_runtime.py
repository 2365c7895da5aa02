"""The generator's network in OpenVINO, built from the weights themselves: no torch and no exported file.

The graph is that of `models/renderer.py`; batch norms are folded into the convolutions. bf16 where the processor computes
it natively, else f32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from models.config import INPUTS, RendererConfig
from models.weights import Weights

EPSILON = 1e-5  # of torch's batch norm


class OpenVinoNetwork:
    """A compiled network for a fixed number of crops. Use it from one thread."""

    def __init__(self, weights: Weights, config: RendererConfig, count: int) -> None:
        """`count` crops of the config's size at a time."""
        core = ov.Core()
        native = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.precision = "bf16" if native else "f32"
        settings = {"INFERENCE_PRECISION_HINT": self.precision, "PERFORMANCE_HINT": "LATENCY"}
        self._compiled: Any = core.compile_model(build_graph(weights, config, count), "CPU", settings)

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, size, size, 10) uint8 to (n, size, size, 4): colour in [0, 255], matte in [0, 1]."""
        return np.asarray(self._compiled(crops)[0])


def build_graph(weights: Weights, config: RendererConfig, count: int) -> ov.Model:
    """The graph from bytes to bytes' range."""
    size = config.size_px
    crops = op.parameter([count, size, size, INPUTS], np.uint8, name="crops")
    x = op.transpose(op.convert(crops, "f32"), _numbers(0, 3, 1, 2))
    x = op.subtract(op.multiply(x, np.float32(1 / 127.5)), np.float32(1))
    x = op.space_to_depth(x, "depth_first", 2)
    layer = _Layers(weights)
    skips = []
    for level in range(4):
        x = layer.conv_relu(x, f"down.{level}", stride=1 if level == 0 else 2)
        skips.append(x)
    for block in range(config.blocks):
        inner = layer.conv_relu(x, f"bottom.{block}.first", stride=1)
        x = op.relu(op.add(x, layer.conv(inner, f"bottom.{block}.second", stride=1)))
    for level in range(3):
        x = op.concat([_twice(x), skips[2 - level]], axis=1)
        x = layer.conv_relu(x, f"up.{level}", stride=1)
    x = op.depth_to_space(layer.plain(x, "head"), "depth_first", 2)
    x = op.transpose(x, _numbers(0, 2, 3, 1))
    colour, matte = op.variadic_split(x, np.int64(3), _numbers(3, 1)).outputs()
    colour = op.multiply(op.add(op.tanh(colour), np.float32(1)), np.float32(127.5))
    return ov.Model([op.concat([colour, op.sigmoid(matte)], axis=3)], [crops], "renderer")


def _numbers(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def _twice(x: Any) -> Any:
    """Nearest-neighbour enlargement by two in both directions."""
    return op.interpolate(
        x, np.array([2, 2], np.float32), "nearest", "scales", axes=_numbers(2, 3),
        coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip


class _Layers:
    """Convolutions with the weights of the module's names."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self.conv_relu: Callable[..., Any] = lambda x, name, stride: op.relu(self.conv(x, name, stride))

    def conv(self, x: Any, name: str, stride: int) -> Any:
        """Convolution `name.0` with the batch norm `name.1` folded in."""
        w = self._weights
        gain = w[f"{name}.1.weight"] / np.sqrt(w[f"{name}.1.running_var"] + EPSILON)
        kernel = w[f"{name}.0.weight"] * gain[:, None, None, None]
        return self._convolve(x, kernel, w[f"{name}.1.bias"] - gain * w[f"{name}.1.running_mean"], stride)

    def plain(self, x: Any, name: str) -> Any:
        """A convolution with its own bias."""
        return self._convolve(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"], 1)

    @staticmethod
    def _convolve(x: Any, kernel: NDArray[np.float32], bias: NDArray[np.float32], stride: int) -> Any:
        y = op.convolution(x, np.ascontiguousarray(kernel), [stride] * 2, [1, 1], [1, 1], [1, 1])
        return op.add(y, bias.reshape(1, -1, 1, 1).astype(np.float32))

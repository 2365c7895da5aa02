"""TensorFlow Lite files as ONNX graphs: as much of it as MediaPipe's face landmarks need, their attention included.

MediaPipe's wheel brings its networks as TFLite. Four-dimensional tensors, (n, height, width, channels) there, are (n, channels,
height, width) here; everything else keeps its layout. An operator or attribute that isn't known is an error, never a guess.

The attention is three custom operators (Grishchenko et al., "Attention Mesh: High-fidelity Face Mesh Prediction in Real-time",
2020, section 2.2: spatial transformers): Landmarks2TransformMatrix takes the upright rectangle around some landmarks, turned by
the line between two of them; TransformTensorBilinear samples features in it; TransformLandmarks brings what was found back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import tflite
from flatbuffers import flexbuffers
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8
DTYPES: Final = {0: np.float32, 1: np.float16, 2: np.int32, 4: np.int64}
KINDS: Final = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
SAME, NO_ACTIVATION, RELU = 0, 0, 1


class GraphError(Exception):
    """A file holds what can't be converted; the message says what."""


def onnx_of(path: Path) -> onnx.ModelProto:
    """The graph of a TFLite file. GraphError for what isn't known, OSError for a file that can't be read."""
    graph = _Graph(tflite.Model.GetRootAsModel(path.read_bytes(), 0))
    return graph.converted()


class _Graph:
    """A graph under construction: `names` says which ONNX value each TFLite tensor became."""

    def __init__(self, model: Any) -> None:
        self._model, self._source = model, model.Subgraphs(0)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._names: dict[int, str] = {}
        self._unpacked: dict[int, NDArray[Any]] = {}  # constants that were stored in half precision
        self._handlers: dict[str, Callable[[Any, list[int], int], str]] = {
            "CONV_2D": self._convolution, "DEPTHWISE_CONV_2D": self._depthwise, "PRELU": self._prelu, "ADD": self._add,
            "MUL": self._multiply, "MAX_POOL_2D": self._max_pool, "PAD": self._pad, "RESHAPE": self._reshape,
            "STRIDED_SLICE": self._slice, "Landmarks2TransformMatrix": self._matrix,
            "TransformTensorBilinear": self._sampled, "TransformLandmarks": self._moved,
        }  # fmt: skip

    def converted(self) -> onnx.ModelProto:
        """Everything, checked."""
        inputs = [self._input(self._source.Inputs(i)) for i in range(self._source.InputsLength())]
        for index in range(self._source.OperatorsLength()):
            self._operator(self._source.Operators(index))
        outputs = [self._output(self._source.Outputs(i)) for i in range(self._source.OutputsLength())]
        graph = helper.make_graph(self._nodes, "tflite", inputs, outputs, self._constants)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="mimicam")
        onnx.checker.check_model(model, full_check=True)
        return model

    def _input(self, tensor: int) -> onnx.ValueInfoProto:
        name = self._tensor(tensor).Name().decode()
        self._names[tensor] = self._node("Transpose", name, perm=[0, 3, 1, 2])
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, self._shape(tensor))

    def _output(self, tensor: int) -> onnx.ValueInfoProto:
        name = self._tensor(tensor).Name().decode()
        self._nodes.append(helper.make_node("Identity", [self._channels_last(tensor)], [name]))
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, self._shape(tensor))

    def _operator(self, operator: Any) -> None:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        kind = KINDS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        inputs, result = operator.InputsAsNumpy().tolist(), int(operator.OutputsAsNumpy()[0])
        if kind == "DEQUANTIZE":
            self._unpacked[result] = self._data(inputs[0]).astype(np.float32)
            return
        name = code.CustomCode().decode() if kind == "CUSTOM" else kind
        if name not in self._handlers:
            raise GraphError(f"{name} is not one of {', '.join(self._handlers)}")
        self._names[result] = self._handlers[name](operator, inputs, result)

    # what tensors are

    def _tensor(self, tensor: int) -> Any:
        return self._source.Tensors(tensor)

    def _shape(self, tensor: int) -> list[int]:
        return [int(n) for n in np.atleast_1d(self._tensor(tensor).ShapeAsNumpy())]

    def _data(self, tensor: int) -> NDArray[Any]:
        if tensor in self._unpacked:
            return self._unpacked[tensor]
        content = self._model.Buffers(self._tensor(tensor).Buffer())
        if content.DataLength() == 0:
            raise GraphError(f"tensor {tensor} is no constant")
        return np.frombuffer(content.DataAsNumpy().tobytes(), DTYPES[self._tensor(tensor).Type()]).reshape(
            self._shape(tensor)
        )

    def _value(self, tensor: int) -> str:
        """An ONNX value, of a constant too."""
        if tensor in self._names:
            return self._names[tensor]
        data = self._data(tensor)
        return self._constant(data.transpose(0, 3, 1, 2) if data.ndim == 4 else data)

    def _channels_last(self, tensor: int) -> str:
        name = self._value(tensor)
        return self._node("Transpose", name, perm=[0, 2, 3, 1]) if len(self._shape(tensor)) == 4 else name

    # what is added

    def _node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _constant(self, value: Any) -> str:
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _whole(self, *values: int) -> str:
        return self._constant(np.array(values, np.int64))

    def _number(self, value: float) -> str:
        return self._constant(np.array(value, np.float32))

    # operators

    def _convolution(self, operator: Any, inputs: list[int], result: int) -> str:
        weights = self._data(inputs[1]).astype(np.float32).transpose(0, 3, 1, 2)
        return self._convolve(_options(operator, tflite.Conv2DOptions), inputs, weights, group=1)

    def _depthwise(self, operator: Any, inputs: list[int], result: int) -> str:
        weights = self._data(inputs[1]).astype(np.float32).transpose(3, 0, 1, 2)
        return self._convolve(_options(operator, tflite.DepthwiseConv2DOptions), inputs, weights, group=len(weights))

    def _convolve(self, options: Any, inputs: list[int], weights: NDArray[np.float32], group: int) -> str:
        strides, size = (options.StrideH(), options.StrideW()), weights.shape[2:]
        if (options.DilationHFactor(), options.DilationWFactor()) != (1, 1):
            raise GraphError("a dilated convolution")
        bias = self._constant(self._data(inputs[2]).astype(np.float32))
        convolved = self._node(
            "Conv", self._value(inputs[0]), self._constant(weights), bias, kernel_shape=list(size), strides=list(strides),
            pads=self._pads(inputs[0], size, strides, options.Padding()), group=group,
        )  # fmt: skip
        return self._activated(convolved, options.FusedActivationFunction())

    def _pads(self, tensor: int, size: tuple[int, ...], strides: tuple[int, int], padding: int) -> list[int]:
        """Top, left, bottom, right. TFLite's `same` puts what is odd at the end."""
        if padding != SAME:
            return [0, 0, 0, 0]
        missing = [
            max((-(-side // step) - 1) * step + span - side, 0)
            for side, span, step in zip(self._shape(tensor)[1:3], size, strides, strict=True)
        ]
        return [m // 2 for m in missing] + [m - m // 2 for m in missing]

    def _activated(self, name: str, activation: int) -> str:
        if activation not in (NO_ACTIVATION, RELU):
            raise GraphError(f"activation {activation}")
        return self._node("Relu", name) if activation == RELU else name

    def _prelu(self, operator: Any, inputs: list[int], result: int) -> str:
        slopes = self._data(inputs[1]).astype(np.float32).reshape(-1, 1, 1)
        return self._node("PRelu", self._value(inputs[0]), self._constant(slopes))

    def _add(self, operator: Any, inputs: list[int], result: int) -> str:
        return self._pair("Add", _options(operator, tflite.AddOptions), inputs)

    def _multiply(self, operator: Any, inputs: list[int], result: int) -> str:
        return self._pair("Mul", _options(operator, tflite.MulOptions), inputs)

    def _pair(self, kind: str, options: Any, inputs: list[int]) -> str:
        ranks = {len(shape) for shape in map(self._shape, inputs) if np.prod(shape) > 1}
        if len(ranks) > 1:
            raise GraphError(f"{kind} of tensors of {ranks} dimensions, which other layouts broadcast in other ways")
        result = self._node(kind, *(self._value(tensor) for tensor in inputs))
        return self._activated(result, options.FusedActivationFunction())

    def _max_pool(self, operator: Any, inputs: list[int], result: int) -> str:
        options = _options(operator, tflite.Pool2DOptions)
        size, strides = (options.FilterHeight(), options.FilterWidth()), (options.StrideH(), options.StrideW())
        pads = self._pads(inputs[0], size, strides, options.Padding())
        return self._node("MaxPool", self._value(inputs[0]), kernel_shape=list(size), strides=list(strides), pads=pads)

    def _pad(self, operator: Any, inputs: list[int], result: int) -> str:
        pads = self._data(inputs[1])[[0, 3, 1, 2]]
        return self._node("Pad", self._value(inputs[0]), self._whole(*pads.T.ravel().tolist()))

    def _reshape(self, operator: Any, inputs: list[int], result: int) -> str:
        return self._laid_out(
            self._node("Reshape", self._channels_last(inputs[0]), self._whole(*self._shape(result))), result
        )

    def _laid_out(self, name: str, tensor: int) -> str:
        """A value with channels last, as this graph keeps it."""
        return self._node("Transpose", name, perm=[0, 3, 1, 2]) if len(self._shape(tensor)) == 4 else name

    def _slice(self, operator: Any, inputs: list[int], result: int) -> str:
        options = _options(operator, tflite.StridedSliceOptions)
        first, last, steps = (self._data(tensor).tolist() for tensor in inputs[1:4])
        shape = self._shape(inputs[0])
        first = [0 if options.BeginMask() >> axis & 1 else value for axis, value in enumerate(first)]
        last = [shape[axis] if options.EndMask() >> axis & 1 else value for axis, value in enumerate(last)]
        axes = range(len(first))
        cut = self._node(
            "Slice", self._channels_last(inputs[0]), *(self._whole(*v) for v in (first, last, axes, steps))
        )
        return self._laid_out(self._node("Reshape", cut, self._whole(*self._shape(result))), result)

    # attention

    def _matrix(self, operator: Any, inputs: list[int], result: int) -> str:
        """(1, 4, 4): from pixels of the features cut out to pixels of the landmarks (1, n, 3)."""
        o = _custom(operator)
        if o["target_rotation_radians"] != 0:
            raise GraphError("a rectangle that is turned further than its landmarks")
        landmarks = self._value(inputs[0])
        left, right = (self._gathered(landmarks, [o[f"{side}_rotation_idx"]]) for side in ("left", "right"))
        along_x, along_y, _ = self._parts(self._node("Sub", right, left))
        length = self._node("Sqrt", self._sum(self._product(along_x, along_x), self._product(along_y, along_y)))
        cos, sin = self._node("Div", along_x, length), self._node("Neg", self._node("Div", along_y, length))
        x, y, _ = self._parts(self._gathered(landmarks, o["subset_idxs"]))
        spans = [
            self._spanned(self._difference(self._product(x, cos), self._product(y, sin))),
            self._spanned(self._sum(self._product(x, sin), self._product(y, cos))),
        ]
        (width, mid_x), (height, mid_y) = spans
        middle_x = self._sum(self._product(mid_x, cos), self._product(mid_y, sin))
        middle_y = self._difference(self._product(mid_y, cos), self._product(mid_x, sin))
        step_x = self._product(width, self._number(o["scale_x"] / o["output_width"]))
        step_y = self._product(height, self._number(o["scale_y"] / o["output_height"]))
        rows = (
            (self._product(cos, step_x), self._product(sin, step_y), middle_x),
            (self._node("Neg", self._product(sin, step_x)), self._product(cos, step_y), middle_y),
        )
        half_x, half_y = self._number(o["output_width"] / 2), self._number(o["output_height"] / 2)
        nothing, lines = self._constant(np.zeros((1, 1, 1), np.float32)), []
        for a, b, middle in rows:
            shift = self._difference(self._difference(middle, self._product(a, half_x)), self._product(b, half_y))
            lines.append(self._node("Concat", a, b, nothing, shift, axis=2))
        rest = self._constant(np.array([[[0, 0, 1, 0], [0, 0, 0, 1]]], np.float32))
        return self._node("Concat", *lines, rest, axis=1)

    def _sampled(self, operator: Any, inputs: list[int], result: int) -> str:
        """Features (1, c, rows, columns) in the rectangle of a matrix; 0 beyond those that there are."""
        o = _custom(operator)
        rows, columns = o["output_height"], o["output_width"]
        height, width = self._shape(inputs[0])[1:3]
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) + 0.5
        centres = np.stack([x.ravel(), y.ravel(), np.ones(rows * columns, np.float32)])[None]
        placed = self._node("MatMul", self._affine(inputs[1]), self._constant(centres.astype(np.float32)))
        placed = self._node(
            "Reshape", self._node("Transpose", placed, perm=[0, 2, 1]), self._whole(1, rows, columns, 2)
        )
        relative = self._product(placed, self._constant(np.array([2 / width, 2 / height], np.float32)))
        grid = self._difference(relative, self._number(1))
        sampled = self._node(
            "GridSample", self._value(inputs[0]), grid, mode="bilinear", padding_mode="zeros", align_corners=0
        )
        edge = self._constant(
            np.array([1 - 1 / width, 1 - 1 / height], np.float32)
        )  # centres of the outermost features
        inside = self._node("Cast", self._node("LessOrEqual", self._node("Abs", grid), edge), to=TensorProto.FLOAT)
        both = self._node("ReduceMin", inside, axes=[3], keepdims=0)
        return self._product(sampled, self._node("Reshape", both, self._whole(1, 1, rows, columns)))

    def _moved(self, operator: Any, inputs: list[int], result: int) -> str:
        """Landmarks (1, n, 2 or 3) by a matrix; depth stays."""
        landmarks, matrix = self._value(inputs[0]), self._affine(inputs[1])
        turn = self._sliced(matrix, 2, 0, 2)
        shift = self._node("Transpose", self._sliced(matrix, 2, 2, 3), perm=[0, 2, 1])
        flat = self._sliced(landmarks, 2, 0, 2)
        moved = self._sum(self._node("MatMul", flat, self._node("Transpose", turn, perm=[0, 2, 1])), shift)
        if self._shape(inputs[0])[2] == 2:
            return moved
        return self._node("Concat", moved, self._sliced(landmarks, 2, 2, 3), axis=2)

    def _affine(self, matrix: int) -> str:
        """(1, 2, 3) of a (1, 4, 4) matrix."""
        return self._node("Gather", self._sliced(self._value(matrix), 1, 0, 2), self._whole(0, 1, 3), axis=2)

    def _sliced(self, name: str, axis: int, first: int, last: int) -> str:
        return self._node("Slice", name, self._whole(first), self._whole(last), self._whole(axis))

    def _gathered(self, landmarks: str, which: list[int]) -> str:
        return self._node("Gather", landmarks, self._whole(*which), axis=1)

    def _parts(self, points: str) -> list[str]:
        return [self._sliced(points, 2, axis, axis + 1) for axis in range(3)]

    def _spanned(self, values: str) -> tuple[str, str]:
        """How far values reach, and their middle."""
        most, least = (self._node(kind, values, axes=[1], keepdims=1) for kind in ("ReduceMax", "ReduceMin"))
        return self._difference(most, least), self._product(self._sum(most, least), self._number(0.5))

    def _product(self, a: str, b: str) -> str:
        return self._node("Mul", a, b)

    def _sum(self, a: str, b: str) -> str:
        return self._node("Add", a, b)

    def _difference(self, a: str, b: str) -> str:
        return self._node("Sub", a, b)


def _options(operator: Any, kind: type) -> Any:
    options, table = kind(), operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return options


def _custom(operator: Any) -> dict[str, Any]:
    options: dict[str, Any] = flexbuffers.Loads(bytearray(operator.CustomOptionsAsNumpy().tobytes()))
    return options


def attention_landmarks(path: Path) -> dict[str, NDArray[np.int64]]:
    """Which landmarks each output of MediaPipe's attention gives anew, by its name, as the file itself has them; and the irises,
    which come after all others."""
    model = tflite.Model.GetRootAsModel(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    subsets = []
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = model.OperatorCodes(operator.OpcodeIndex()).CustomCode()
        if code == b"Landmarks2TransformMatrix":
            subsets.append(np.array(_custom(operator)["subset_idxs"], np.int64))
    names = ("output_lips", "output_left_eye", "output_right_eye")
    chosen = {name: s for s in subsets for name in names if _first_of(name) in s}
    skin = 468
    return chosen | {
        "output_left_iris": np.arange(skin, skin + 5),
        "output_right_iris": np.arange(skin + 5, skin + 10),
    }


def _first_of(output: str) -> int:
    """A landmark that tells the subsets apart: a corner of the mouth, or of an eye."""
    return {"output_lips": 61, "output_left_eye": 33, "output_right_eye": 263}[output]

"""Networks in TensorRT engines. Engines are built in the tests, none was executed yet: by name only.

PyCUDA in the primary context, which torch shares. CUDA contexts belong to threads, and networks are loaded in one thread and
used in another, so every call makes the context current for itself; what is `bound` leaves that to its caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pycuda.driver as cuda
from numpy.typing import NDArray

from models.config import RendererConfig
from models.graph import build_graph
from models.runtimes import Precision
from models.tensorrt_engine import EngineError, build_engine, cached_engine, find_tensorrt, key_of
from models.weights import Weights

NON_BLOCKING = 1  # a stream that does not wait for the legacy one, on which others work
CACHE = Path("~/.cache/mimicam/engines").expanduser()


class TensorRtGraph:
    """The engine of an ONNX graph. Use it from one thread at a time."""

    def __init__(self, graph: bytes, cache: Path = CACHE) -> None:
        """Read the engine from the `cache` folder, or build it, which takes a while. EngineError when neither works."""
        self._trt = find_tensorrt()
        cuda.init()
        self._context = cuda.Device(0).retain_primary_context()
        with self.current():
            key = key_of(self._trt, graph, cuda.Device(0).name(), str(cuda.get_driver_version()))
            data = cached_engine(cache, key, lambda: build_engine(self._trt, graph))
            self._engine = self._trt.Runtime(self._trt.Logger(self._trt.Logger.ERROR)).deserialize_cuda_engine(data)
        if self._engine is None:
            raise EngineError(f"{cache / key.file_name()} can't be read by {key.product}: delete it")

    @contextmanager
    def current(self) -> Iterator[None]:
        """The context is the calling thread's while this lasts."""
        self._context.push()
        try:
            yield
        finally:
            self._context.pop()

    def bound(self, addresses: Mapping[str, int], stream: int) -> Callable[[], None]:
        """What queues its work between arrays on the GPU, by the names of inputs and outputs."""
        execution = self._engine.create_execution_context()
        if execution is None:
            raise EngineError("no memory is left to execute the engine in")
        for name, address in addresses.items():
            if not execution.set_tensor_address(name, address):
                raise EngineError(f"the engine has no '{name}'")

        def queue() -> None:
            if not execution.execute_async_v3(stream):
                raise EngineError("the engine did not run")

        return queue

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs by name, for inputs that come from the CPU."""
        with self.current():
            return self._hosted(inputs)

    @cached_property
    def _hosted(self) -> _Hosted:
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        arrays = {
            name: cuda.pagelocked_empty(
                tuple(self._engine.get_tensor_shape(name)), self._trt.nptype(self._engine.get_tensor_dtype(name))
            )
            for name in names
        }
        return _Hosted(self, arrays)


class _Hosted:
    """Memory on both sides, pinned here, and a stream."""

    def __init__(self, graph: TensorRtGraph, arrays: dict[str, NDArray[Any]]) -> None:
        self._stream, self._arrays = cuda.Stream(NON_BLOCKING), arrays
        self._buffers: dict[str, Any] = {name: cuda.mem_alloc(array.nbytes) for name, array in arrays.items()}
        self._queue = graph.bound({name: int(b) for name, b in self._buffers.items()}, self._stream.handle)

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        for name, value in inputs.items():
            self._arrays[name][...] = value
            cuda.memcpy_htod_async(self._buffers[name], self._arrays[name], self._stream)
        self._queue()
        outputs = [name for name in self._arrays if name not in inputs]
        for name in outputs:
            cuda.memcpy_dtoh_async(self._arrays[name], self._buffers[name], self._stream)
        self._stream.synchronize()
        return {name: np.array(self._arrays[name]) for name in outputs}


class TensorRtNetwork:
    """A network for a fixed number of crops, in fp16. Use it from one thread at a time."""

    precision: Precision = "f16"
    capturable = True

    def __init__(self, weights: Weights, config: RendererConfig, count: int, cache: Path = CACHE) -> None:
        """As `TensorRtGraph`."""
        self._graph = TensorRtGraph(build_graph(weights, config, count, "f16").SerializeToString(), cache)

    def bound(self, crops_address: int, drawn_address: int, stream: int) -> Callable[[], None]:
        """See `StreamNetwork`."""
        return self._graph.bound({"crops": crops_address, "drawn": drawn_address}, stream)

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, size, size, inputs) uint8 to (n, size, size, outputs): colour in [0, 255], matte in [0, 1]."""
        planes = crops.transpose(0, 3, 1, 2) / np.float32(127.5) - 1
        return self._graph({"crops": planes})["drawn"]

"""A network in a TensorRT engine, in fp16. Not run on a GPU yet: by name only.

PyCUDA in the primary context, which torch shares. CUDA contexts belong to threads, and networks are loaded in one thread and
used in another, so every call makes the context current for itself; what is `bound` leaves that to its caller.
"""

from __future__ import annotations

from collections.abc import Callable
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

CACHE = Path("~/.cache/mimicam/engines").expanduser()


class TensorRtNetwork:
    """An engine for a fixed number of crops. Use it from one thread at a time."""

    precision: Precision = "f16"
    capturable = True

    def __init__(self, weights: Weights, config: RendererConfig, count: int, cache: Path = CACHE) -> None:
        """Read the engine from the `cache` folder, or build it, which takes a while. EngineError when neither works."""
        trt = find_tensorrt()
        cuda.init()
        self._context = cuda.Device(0).retain_primary_context()
        self._config, self._count = config, count
        self._context.push()
        try:
            graph = build_graph(weights, config, count, half=True).SerializeToString()
            key = key_of(trt, graph, cuda.Device(0).name(), ".".join(map(str, cuda.get_version())))
            data = cached_engine(cache, key, lambda: build_engine(trt, graph))
            self._engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(data)
        finally:
            self._context.pop()
        if self._engine is None:
            raise EngineError(f"{cache / key.file_name()} can't be read by {key.product}: delete it")

    def bound(self, crops_address: int, drawn_address: int, stream: int) -> Callable[[], None]:
        """See `StreamNetwork`."""
        execution = self._engine.create_execution_context()
        execution.set_tensor_address("crops", crops_address)
        execution.set_tensor_address("drawn", drawn_address)

        def queue() -> None:
            if not execution.execute_async_v3(stream):
                raise EngineError("the engine did not run")

        return queue

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, size, size, inputs) uint8 to (n, size, size, outputs): colour in [0, 255], matte in [0, 1]."""
        self._context.push()
        try:
            return self._hosted(crops)
        finally:
            self._context.pop()

    @cached_property
    def _hosted(self) -> _Hosted:
        return _Hosted(self, self._config, self._count)


class _Hosted:
    """An engine with memory of its own, pinned on both sides, and a stream, for crops that come from the CPU."""

    def __init__(self, network: TensorRtNetwork, config: RendererConfig, count: int) -> None:
        size = config.size_px
        self._stream = cuda.Stream()
        self._crops = cuda.pagelocked_empty((count, config.inputs, size, size), np.float16)
        self._drawn = cuda.pagelocked_empty((count, size, size, config.outputs), np.float32)
        self._buffers: list[Any] = [cuda.mem_alloc(self._crops.nbytes), cuda.mem_alloc(self._drawn.nbytes)]
        self._queue = network.bound(int(self._buffers[0]), int(self._buffers[1]), self._stream.handle)

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._crops[...] = crops.transpose(0, 3, 1, 2) / np.float32(127.5) - 1
        cuda.memcpy_htod_async(self._buffers[0], self._crops, self._stream)
        self._queue()
        cuda.memcpy_dtoh_async(self._drawn, self._buffers[1], self._stream)
        self._stream.synchronize()
        return np.array(self._drawn)

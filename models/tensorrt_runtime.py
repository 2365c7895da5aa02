"""A network in a TensorRT engine, in fp16. Not run on a GPU yet: by name only.

Pinned host memory on both sides, one stream; PyCUDA in the primary context, which torch shares. CUDA contexts belong to
threads, and networks are loaded in one thread and used in another, so every call makes the context current for itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pycuda.autoprimaryctx
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

    def __init__(self, weights: Weights, config: RendererConfig, count: int, cache: Path = CACHE) -> None:
        """Read the engine from the `cache` folder, or build it, which takes a while. EngineError when neither works."""
        trt = find_tensorrt()
        self.precision: Precision = "f16"
        self._context = pycuda.autoprimaryctx.context
        device = self._context.get_device()
        graph = build_graph(weights, config, count, half=True).SerializeToString()
        key = key_of(trt, graph, device.name(), ".".join(map(str, cuda.get_version())))
        data = cached_engine(cache, key, lambda: build_engine(trt, graph))
        self._engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(data)
        if self._engine is None:
            raise EngineError(f"{cache / key.file_name()} can't be read by {key.product}: delete it")
        self._execution = self._engine.create_execution_context()
        size = config.size_px
        self._stream = cuda.Stream()
        self._crops = cuda.pagelocked_empty((count, size, size, config.inputs), np.uint8)
        self._drawn = cuda.pagelocked_empty((count, size, size, config.outputs), np.float32)
        self._buffers: dict[str, Any] = {
            "crops": cuda.mem_alloc(self._crops.nbytes),
            "drawn": cuda.mem_alloc(self._drawn.nbytes),
        }
        for name, buffer in self._buffers.items():
            self._execution.set_tensor_address(name, int(buffer))

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, size, size, inputs) uint8 to (n, size, size, outputs): colour in [0, 255], matte in [0, 1]."""
        self._context.push()
        try:
            self._crops[...] = crops
            cuda.memcpy_htod_async(self._buffers["crops"], self._crops, self._stream)
            if not self._execution.execute_async_v3(self._stream.handle):
                raise EngineError("the engine did not run")
            cuda.memcpy_dtoh_async(self._drawn, self._buffers["drawn"], self._stream)
            self._stream.synchronize()
            return np.array(self._drawn)
        finally:
            self._context.pop()

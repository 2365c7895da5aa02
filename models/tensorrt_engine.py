"""TensorRT engines of the generator's networks: built from the fp16 graph once a machine, then read from a cache.

One way for TensorRT 10.12 and later, 11, and TensorRT-RTX: strongly typed networks, whose precision is that of the graph.
Building needs no GPU where a target is named (TensorRT-RTX); executing an engine is not part of this file.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

WORKSPACE_BYTES: Final = 1 << 30
MODULES: Final = ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings")  # the same interface, best first
Progress = Callable[[str, int, int], None]  # phase, steps done, steps in all


class EngineError(Exception):
    """An engine could not be built; the message says what TensorRT said."""


@dataclass(frozen=True, slots=True)
class EngineKey:
    """What an engine depends on. An engine for another key is never used."""

    product: str  # module and version, as tensorrt_rtx_bindings 1.7.1.116
    gpu: str  # name, or the target it was built for
    driver: str
    graph_sha256: str  # weights, shape and precision are all in the graph
    plan: int = 2  # raised when this file builds engines in another way

    def file_name(self) -> str:
        """Name in the cache."""
        text = json.dumps(asdict(self), sort_keys=True)
        return f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.engine"


def nvidia_driver_found() -> bool:
    """NVIDIA's driver is on this machine, where programs find it: containers mount it without telling the linker's cache."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def find_tensorrt() -> Any:
    """TensorRT's module. EngineError with every reason where there is none that may be loaded."""
    reasons = []
    for name in MODULES:
        if find_spec(name) is None:
            reasons.append(f"{name} is not installed")
        elif name == "tensorrt" and not nvidia_driver_found():
            reasons.append("tensorrt ends the process without an NVIDIA driver")
        else:
            return import_module(name)
    raise EngineError("; ".join(reasons))


def key_of(trt: Any, graph: bytes, gpu: str, driver: str) -> EngineKey:
    """The key of a graph's engine."""
    return EngineKey(f"{trt.__name__} {trt.__version__}", gpu, driver, hashlib.sha256(graph).hexdigest())


def build_engine(trt: Any, graph: bytes, *, target: str | None = None, progress: Progress | None = None) -> bytes:
    """Build the engine of an ONNX graph for this machine's GPU, or for a `target` as SM86. EngineError when it fails."""
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(graph):
        raise EngineError("; ".join(str(parser.get_error(i)) for i in range(parser.num_errors)))
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    config.clear_flag(trt.BuilderFlag.TF32)  # landmarks are in f32 because ten bits are too few
    if target is not None:
        config.num_compute_capabilities = 1
        config.set_compute_capability(getattr(trt.ComputeCapability, target), 0)
    if progress is not None:
        config.progress_monitor = _monitor(trt, progress)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise EngineError(f"{trt.__name__} {trt.__version__} gave no engine and no reason")
    return bytes(engine)


def _monitor(trt: Any, progress: Progress) -> Any:
    """TensorRT's progress, told to a function."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            self._steps[phase] = steps

        def step_complete(self, phase: str, step: int) -> bool:
            progress(phase, step + 1, self._steps.get(phase, step + 1))
            return True  # go on

        def phase_finish(self, phase: str) -> None:
            self._steps.pop(phase, None)

    return Monitor()


def cached_engine(folder: Path, key: EngineKey, build: Callable[[], bytes]) -> bytes:
    """The engine from the cache, or built and kept there. A damaged file is built anew; a folder that can't be written
    costs the cache and nothing else."""
    path = folder / key.file_name()
    engine = _read(path)
    if engine is None:
        engine = build()
        _write(path, engine)
    return engine


def _read(path: Path) -> bytes | None:
    """A file's engine; None when there is none or its hash is wrong."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, engine = data[:32], data[32:]
    return engine if hashlib.sha256(engine).digest() == digest else None


def _write(path: Path, engine: bytes) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(hashlib.sha256(engine).digest() + engine)
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()

"""A network in OpenVINO, in what the processor computes fastest without its being seen (docs/decisions/023)."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import openvino as ov
from llvmlite.binding import get_host_cpu_features
from numpy.typing import NDArray

from models.config import RendererConfig
from models.graph import build_graph
from models.runtimes import Precision
from models.weights import PEAK, Weights


def native_precision(core: ov.Core) -> Precision:
    """What numbers of any network are computed in: bf16 where OpenVINO says that the processor computes it, else f32."""
    return "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"


def best_precision(core: ov.Core, weights: Weights) -> Precision:
    """That of a network of ours: i8 on x86 with AVX2, but for processors with AMX, whose bf16 is fast, if the peaks of its
    layers are known."""
    features, native = get_host_cpu_features(), native_precision(core)
    amx = native == "bf16" and features.get("amx-bf16", False)
    known = any(name.endswith(PEAK) for name in weights)
    return "i8" if known and features.get("avx2", False) and not amx else native


def threads_in_the_loop() -> int:
    """Half of the cores that this process may use, and at least one: OpenVINO's workers go on spinning after a call, where the
    kernels want their core (docs/decisions/010)."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, usable // 2)


def compile_graph(core: ov.Core, graph: bytes, precision: Precision, threads: int) -> Any:
    """Compile ONNX for the CPU, for the least time of a single call. What isn't whole in a graph for i8 is computed in f32."""
    settings = {
        "INFERENCE_PRECISION_HINT": "f32" if precision == "i8" else precision,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
    }
    return core.compile_model(core.read_model(graph), "CPU", settings)


class OpenVinoNetwork:
    """A compiled network for a fixed number of crops. Use it from one thread."""

    def __init__(
        self, weights: Weights, config: RendererConfig, count: int, precision: Precision | None = None
    ) -> None:
        """`count` crops of the config's size at a time, in the processor's best precision unless told otherwise."""
        core = ov.Core()
        self.precision: Precision = precision or best_precision(core, weights)
        graph = build_graph(weights, config, count, "i8" if self.precision == "i8" else "f32").SerializeToString()
        self._compiled = compile_graph(core, graph, self.precision, threads_in_the_loop())

    @property
    def threads(self) -> int:
        """How many OpenVINO says that it uses."""
        return int(self._compiled.get_property("INFERENCE_NUM_THREADS"))

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, size, size, inputs) uint8 to (n, size, size, outputs): colour in [0, 255], matte in [0, 1]."""
        return np.asarray(self._compiled(crops)[0])

"""The generator's network in OpenVINO: bf16 where the processor computes it natively, else f32."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from models.config import RendererConfig
from models.graph import build_graph
from models.weights import Weights


class OpenVinoNetwork:
    """A compiled network for a fixed number of crops. Use it from one thread."""

    def __init__(self, weights: Weights, config: RendererConfig, count: int) -> None:
        """`count` crops of the config's size at a time."""
        core = ov.Core()
        native = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.precision = "bf16" if native else "f32"
        settings = {"INFERENCE_PRECISION_HINT": self.precision, "PERFORMANCE_HINT": "LATENCY"}
        graph = core.read_model(build_graph(weights, config, count).SerializeToString())
        self._compiled: Any = core.compile_model(graph, "CPU", settings)

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, size, size, 10) uint8 to (n, size, size, 4): colour in [0, 255], matte in [0, 1]."""
        return np.asarray(self._compiled(crops)[0])

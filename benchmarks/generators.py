"""Which generator fits into a frame on this machine: ours beside published architectures, per runtime.

    mimicam bench generators

On the CPU, times are medians of single calls, one after the other; on a GPU they are its own work by its own events, from arrays
in its memory to arrays in its memory, as in the loop. The published networks have random weights, which costs the same, and so
has our architecture at 512 px, which no shipped network uses. Needs torch (the extra `train`).
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from rich.console import Console
from rich.table import Table

from benchmarks.results import default_path, write_result
from engine.errors import ConfigError
from engine.machine import cores, describe
from engine.render.crops import Part
from engine.render.generator import LARGE, PARTS, places_of
from models.config import CONFIGS, RendererConfig
from models.openvino_runtime import OpenVinoNetwork, best_precision, compile_graph, native_precision
from models.runtimes import Network, RuntimeName, StreamNetwork
from models.weights import Weights, load_weights

FRAME_MS = 1000 / 30
LEAST_CALLS, LEAST_S = 5, 2.0
LARGE_PX = 512
WARM_UP, ROUNDS = 3, 25


def median_ms(call: Callable[[], Any]) -> float:
    """Median time of a call, after two to warm up."""
    call()
    call()
    times: list[float] = []
    while len(times) < LEAST_CALLS or sum(times) < LEAST_S:
        begin_s = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin_s)
    return float(np.median(times)) * 1e3


def ours() -> list[dict[str, Any]]:
    """The shipped networks with the crops of one frame, small and large, and one as large as a whole face."""
    large = replace(CONFIGS["mouth"], size_px=LARGE_PX, detail=None)
    return [
        *_whole_frame("a whole frame", 1),
        *_whole_frame("a whole frame in large crops", LARGE),
        _shipped("occlusion", 1),
        _row(f"mimicam's network, 1 x {LARGE_PX} px", _random_weights(large), large, 1),
    ]


def _whole_frame(name: str, scale: int) -> list[dict[str, Any]]:
    """The generator's networks with the crops of one frame, and all together."""
    rows = [_shipped(part, scale) for part in PARTS]
    shared = [runtime for runtime in rows[0]["ms"] if all(runtime in row["ms"] for row in rows)]
    whole = {runtime: sum(row["ms"][runtime] for row in rows) for runtime in shared}
    return [*rows, {"generator": f"mimicam, {name}", "millions": sum(r["millions"] for r in rows), "ms": whole}]


def _shipped(part: Part, scale: int) -> dict[str, Any]:
    config, count = CONFIGS[part].enlarged(scale), max(1, len(places_of(part)))
    return _row(f"mimicam {part}, {count} x {config.size_px} px", load_weights(part), config, count)


def _random_weights(config: RendererConfig) -> Weights:
    from models.renderer import Renderer

    state = Renderer(config).state_dict()
    return {k: v.numpy() for k, v in state.items() if not k.endswith("num_batches_tracked")}


def _row(name: str, weights: Weights, config: RendererConfig, count: int) -> dict[str, Any]:
    """One of our networks in everything that executes it here."""
    size = config.size_px
    crops = np.random.default_rng(0).integers(0, 256, (count, size, size, config.inputs), np.uint8)
    times = {}
    for network_name, network in _on_cpu(weights, config, count).items():
        times[network_name] = median_ms(partial(network, crops))
    for runtime, there in _on_gpu(weights, config, count).items():
        times[f"{runtime} {there.precision}"] = _stream_ms(there, config, count)
    return {"generator": name, "millions": sum(w.size for w in weights.values()) / 1e6, "ms": times}


def _on_cpu(weights: Weights, config: RendererConfig, count: int) -> dict[str, Network]:
    """By runtime and precision: OpenVINO in the best for these weights, the processor's own, and f32."""
    from models.torch_runtime import TorchNetwork

    core = ov.Core()
    precisions = dict.fromkeys((best_precision(core, weights), native_precision(core), "f32"))
    networks: list[tuple[RuntimeName, Network]] = [
        ("openvino", OpenVinoNetwork(weights, config, count, p)) for p in precisions
    ]
    networks.append(("torch-cpu", TorchNetwork(weights, config, count)))
    return {f"{name} {network.precision}": network for name, network in networks}


def _on_gpu(weights: Weights, config: RendererConfig, count: int) -> dict[RuntimeName, StreamNetwork]:
    """What executes it on this machine's GPU; nothing without one."""
    import torch

    from models.torch_runtime import CudaTorchNetwork

    if not torch.cuda.is_available():
        return {}
    found: dict[RuntimeName, StreamNetwork] = {"torch-cuda": CudaTorchNetwork(weights, config, count)}
    with suppress(Exception):  # driver, context and memory have errors of their own, in packages that may be missing
        from models.tensorrt_runtime import TensorRtNetwork

        found["tensorrt"] = TensorRtNetwork(weights, config, count)
    return found


def _stream_ms(network: StreamNetwork, config: RendererConfig, count: int) -> float:
    """Median time of a network's work in a GPU's memory."""
    import torch

    from benchmarks.torch_kernels import on_gpu_ms

    size = config.size_px
    crops = 2 * torch.rand(count, config.inputs, size, size, device="cuda").half() - 1
    drawn = torch.empty(count, size, size, config.outputs, device="cuda")
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        queue = network.bound(crops.data_ptr(), drawn.data_ptr(), stream.cuda_stream)
        queue()
        return float(np.median(on_gpu_ms(queue, ROUNDS)))


def published() -> list[dict[str, Any]]:
    """The published architectures at 256 x 256."""
    import torch

    from models.published import PUBLISHED

    rows = []
    for name, build in PUBLISHED.items():
        net = build().eval()
        example = net.example()
        millions = sum(p.numel() for p in net.parameters()) / 1e6
        with torch.inference_mode():
            times = {"torch-cpu f32": median_ms(lambda net=net, example=example: net(*example))}  # type: ignore[misc]
        core = ov.Core()
        precision = native_precision(core)
        exported = io.BytesIO()
        torch.onnx.export(net, example, exported, dynamo=False)
        compiled = compile_graph(core, exported.getvalue(), precision, cores())
        times[f"openvino {precision}"] = median_ms(partial(compiled, [tensor.numpy() for tensor in example]))
        if torch.cuda.is_available():
            times["torch-cuda f16"] = _graph_ms(net, example)
        rows.append({"generator": name, "millions": millions, "ms": times})
    return rows


def _graph_ms(net: Any, example: Any) -> float:
    """Median time of a network of torch on a GPU, in fp16, its launches recorded."""
    import torch

    from benchmarks.torch_kernels import on_gpu_ms

    there = net.cuda().half().to(memory_format=torch.channels_last)
    inputs, stream = [tensor.cuda().half() for tensor in example], torch.cuda.Stream()
    fastest = torch.backends.cudnn.flags(enabled=True, benchmark=True)  # as ours
    with fastest, torch.inference_mode(), torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            there(*inputs)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            there(*inputs)
        graph.replay()
        return float(np.median(on_gpu_ms(graph.replay, ROUNDS)))


def run(report: Path | None, console: Console) -> None:
    """Measure, show and keep."""
    try:
        import torch
    except ImportError as error:
        raise ConfigError(
            wanted="torch, in which the published generators are written",
            found=str(error),
            advice="pip install 'mimicam[train]' in this environment.",
        ) from error
    rows = ours() + published()
    names = list(rows[0]["ms"])
    table = Table("generator", "million parameters", *(f"{name}, ms" for name in names), "fits into 33 ms")
    for row in rows:
        best = min(row["ms"].values())
        cells = [f"{row['ms'][name]:.2f}" if name in row["ms"] else "" for name in names]
        table.add_row(row["generator"], f"{row['millions']:.1f}", *cells, "yes" if best < FRAME_MS else "no")
    console.print(table)
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    machine = describe() if gpu is None else describe(gpu)
    console.print(
        f"on {machine['processor']}, {machine['cores']} cores, GPU: {machine['gpu']}, torch {torch.__version__}"
    )
    write_result(
        report or default_path("generators", gpu),
        {"generators": rows, "machine": machine},
    )

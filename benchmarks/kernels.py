"""The kernels, checked and then timed: ms, bytes a second, and the share of what this machine copies.

Each on the work that it has in a frame, beside what else can do it. Bytes are those that have to move: each input read once, each
output written once. The CPU's form is compared with the definition, on a smaller piece of work where that takes long; a GPU's
with the CPU's, on the work that is timed. What OpenCV and torch do is like it, not the same to the level, and is timed alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import Any, Final

import cv2
import numba
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from engine.machine import describe
from engine.render.generator import DETAIL
from kernels.blend_multiband import cuda as multiband_cuda
from kernels.blend_poisson import cuda as poisson_cuda
from kernels.device import Device, uploaded
from kernels.feather import cuda as feather_cuda
from kernels.lay_back import cuda as lay_back_cuda
from kernels.registry import CPU_ONLY, KERNELS, load
from kernels.warp_mesh import cuda as warp_cuda

Arrays = tuple[Any, ...]
CROP: Final = 96 * 96 / (1080 * 1920)  # pixels of a crop for one of the picture
SHOWN: Final = (96 * 1080 / 340) ** 2 / (1080 * 1920)  # the part of the picture that the crop shows, likewise
FULL_HD, FOUR_K, FACE = (1080, 1920), (2160, 3840), (512, 512)
ROUNDS: Final = 15
REPEATS: Final = 20  # of a kernel on a GPU in a round: one alone takes less than its launch
UNCACHED_BYTES = 128 << 20  # twice the largest cache of a GPU
COPIED_BYTES: Final = 1 << 27
Rival = Callable[..., NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Case:
    """A kernel's work at one size."""

    kernel: str
    size: tuple[int, int]
    arguments: Callable[[int, int], Arrays]  # for a size
    out: int  # which argument is written
    bytes_per_pixel: float
    tolerance: float  # between two forms: at most 0.1 % of the values are further apart
    rivals: dict[str, Rival] = field(default_factory=dict)  # by name; they return what they draw
    workspace: Callable[[Device, int, int], Any] | None = None
    smaller: int = 8  # than the work that is timed, each way, is what the definition is given

    @property
    def name(self) -> str:
        """For tables."""
        return f"{self.kernel} {self.size[1]} x {self.size[0]}"


def _random(height: int, width: int) -> np.random.Generator:
    return np.random.default_rng(height * width)


def _picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 16 + 2, width // 16 + 2, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _matte(height: int, width: int) -> NDArray[np.uint8]:
    """Grey everywhere: nothing can be left out."""
    return _random(height, width).integers(1, 255, (height, width)).astype(np.uint8)


def _oval(height: int, width: int) -> NDArray[np.uint8]:
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (width // 2, height // 2), (width * 2 // 5, height * 2 // 5), 0, 0, 360, 255, -1)
    return mask


def _map(height: int, width: int) -> NDArray[np.float32]:
    """A bend, as a turned head makes."""
    bend = cv2.resize(_random(height, width).normal(0, 12, (5, 6, 2)), (width, height), interpolation=cv2.INTER_CUBIC)
    return (np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1) + bend).astype(np.float32)


def _mesh(height: int, width: int) -> Arrays:
    """As many triangles as a head has, bent."""
    x, y = np.meshgrid(np.linspace(0, width - 1, 32), np.linspace(0, height - 1, 25))
    points = np.stack([x, y], -1).reshape(-1, 2)
    index = np.arange(len(points)).reshape(25, 32)
    a, b, c, d = (i.ravel() for i in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    triangles = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).astype(np.int32)
    shift = _random(height, width).normal(0, 0.1 * width / 32, points.shape)
    target = np.column_stack([points + shift, np.zeros(len(points))]).astype(np.float32)
    backward, depth = np.empty((height, width, 2), np.float32), np.empty((height, width), np.float32)
    return target, points.astype(np.float32), triangles, backward, depth


def _crops(height: int, width: int) -> Arrays:
    """A mouth and what is beside it, of a face that fills most of the picture."""
    size = 96
    random = _random(height, size)
    beside = [random.integers(0, 256, (1, size, size, 3), np.uint8) for _ in range(2)]
    step = height / 340
    matrix = np.array([[[step, 0.1, width * 0.4], [-0.1, step, height * 0.5]]], np.float32)
    unit = np.full(1, step, np.float32)
    return _picture(height, width), _map(height, width), matrix, *beside, unit, np.zeros((1, size, size, 10), np.uint8)


def _drawn(height: int, width: int) -> Arrays:
    picture, _, matrix, *_, crops = _crops(height, width)
    crops[..., :3] = _picture(96, 96, 3)
    drawn = np.concatenate([_picture(96, 96, 4), np.full((96, 96, 1), 1)], axis=2).astype(np.float32)[None]
    return picture, drawn, crops, matrix, DETAIL["eye"]  # the dearer of both


def _table() -> NDArray[np.float32]:
    steps = np.linspace(0, 255, 33, dtype=np.float32)
    return 0.9 * np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1) + np.float32(9)


def _like(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    return np.empty((height, width, channels) if channels > 1 else (height, width), np.uint8)


def _remap(source: NDArray[np.uint8], backward: NDArray[np.float32], out: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.remap(source, backward, None, cv2.INTER_LINEAR, dst=out, borderMode=cv2.BORDER_REPLICATE))


def _blend_linear(
    canvas: NDArray[np.uint8], layer: NDArray[np.uint8], matte: NDArray[np.uint8], left: int, top: int
) -> NDArray[np.uint8]:
    share = matte.astype(np.float32) / 255
    return np.asarray(cv2.blendLinear(layer, canvas, share, 1 - share))


def _box_blurs(mask: NDArray[np.uint8], radius: int, matte: NDArray[np.uint8]) -> NDArray[np.uint8]:
    side = (2 * radius + 1, 2 * radius + 1)
    twice = cv2.blur(cv2.blur((mask != 0).astype(np.float32), side, borderType=cv2.BORDER_REPLICATE), side,
                     borderType=cv2.BORDER_REPLICATE)  # fmt: skip
    return np.clip(510 * twice - 254.5, 0, 255).astype(np.uint8)


def _seamless_clone(
    canvas: NDArray[np.uint8], layer: NDArray[np.uint8], mask: NDArray[np.uint8], out: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    middle = (canvas.shape[1] // 2, canvas.shape[0] // 2)
    return np.asarray(cv2.seamlessClone(layer, canvas, mask, middle, cv2.NORMAL_CLONE))


CASES: Final = (
    Case("warp_mesh", FULL_HD, _mesh, 3, 12, 0.01, workspace=warp_cuda.workspace),
    Case("sample", FULL_HD, lambda h, w: (_picture(h, w), _map(h, w), _like(h, w)), 2, 14, 0, {"OpenCV": _remap}),
    Case("soften_edges", FULL_HD, lambda h, w: (_picture(h, w), _map(h, w), 1.2, _like(h, w)), 3, 14, 0),
    *(
        Case("composite", size, lambda h, w: (_picture(h, w), _picture(h, w, 1), _matte(h, w), 0, 0), 0, 10, 0,
             {"OpenCV": _blend_linear})
        for size in (FULL_HD, FOUR_K)
    ),
    Case("feather", FACE, lambda h, w: (_oval(h, w), 9, _like(h, w, 1)), 2, 2, 0, {"OpenCV": _box_blurs},
         workspace=feather_cuda.workspace),
    Case("blend_multiband", FACE, lambda h, w: (_picture(h, w), _picture(h, w, 1), _matte(h, w), 4, _like(h, w)), 4, 10, 1,
         workspace=lambda device, h, w: multiband_cuda.workspace(device, h, w, 4)),
    Case("blend_poisson", FACE, lambda h, w: (_picture(h, w), _picture(h, w, 1), _oval(h, w), _like(h, w)), 3, 10, 2,
         {"OpenCV": _seamless_clone}, poisson_cuda.workspace),
    Case("match_colour", FULL_HD, lambda h, w: (_picture(h, w), _table(), _like(h, w)), 2, 6, 1),
    Case("crop_normalise", FULL_HD, _crops, 6, SHOWN * 11 + CROP * 16, 1, smaller=1),
    Case("lay_back", FULL_HD, _drawn, 0, SHOWN * 6 + CROP * 19, 2,
         workspace=lambda device, h, w: lay_back_cuda.workspace(device, 1, 96), smaller=1),
    Case("embed_mark", FULL_HD, lambda h, w: (_picture(h, w), _random(h, w).integers(-64, 65, (h, w)).astype(np.int8)), 0, 7, 0),
)  # fmt: skip
assert {case.kernel for case in CASES} == set(KERNELS) - set(CPU_ONLY)


def check(case: Case, device: Device | None) -> list[str]:
    """What differs: the CPU's form from the definition, and a device's from the CPU's."""
    small = (case.size[0] // case.smaller, case.size[1] // case.smaller)
    wrong = differ(case, small, "reference", load(case.kernel, "reference"), load(case.kernel, "cpu"))
    if device is not None:
        wrong += differ(case, case.size, device.name, load(case.kernel, "cuda", device), load(case.kernel, "cpu"))
    return wrong


def differ(
    case: Case, size: tuple[int, int], name: str, one: Callable[..., None], other: Callable[..., None]
) -> list[str]:
    """Nothing, or that two forms differ on a case's work of some size."""
    results = []
    for form in (one, other):
        arguments = case.arguments(*size)
        form(*arguments)
        results.append(arguments[case.out].astype(float))
    share = float(
        (~(np.abs(results[0] - results[1]) <= max(case.tolerance, 1e-9))).mean()
    )  # no number is no match either
    return (
        [f"{case.kernel} {size[1]} x {size[0]}: {name} and cpu differ in {100 * share:.2f} % of the values"]
        if share > 0.001
        else []
    )


def cpu_ms(case: Case, form: Callable[..., object]) -> float:
    """Median time of a form on the CPU."""
    arguments = case.arguments(*case.size)
    form(*arguments)  # compiles
    times = []
    for _ in range(ROUNDS):
        begin_s = time.perf_counter()
        form(*arguments)
        times.append(1e3 * (time.perf_counter() - begin_s))
    return float(np.median(times))


def gpu_ms(case: Case, gpu: Any) -> float:
    """Median time on the GPU, everything in its memory: REPEATS of them recorded as one, so that no launch is timed, in turn over
    so many sets of arrays that none is in the cache any more when it is its turn."""
    function = getattr(import_module(f"kernels.{case.kernel}.cuda"), case.kernel)
    arguments = case.arguments(*case.size)
    set_bytes = sum(a.nbytes for a in arguments if isinstance(a, np.ndarray))
    count = min(REPEATS, -(-UNCACHED_BYTES // max(1, set_bytes)))
    with gpu.current():
        sets = [
            [
                *(uploaded(gpu, a) if isinstance(a, np.ndarray) else a for a in arguments),
                *(() if case.workspace is None else (case.workspace(gpu, *case.size),)),
            ]
            for _ in range(count)
        ]

        def launches() -> None:
            for index in range(REPEATS):
                function(gpu, *sets[index % count])

        launches()
        work = gpu.recorded(launches)
        gpu.times_ms(work, 3)
        return float(np.median(gpu.times_ms(work, ROUNDS))) / REPEATS


@numba.njit(parallel=True)
def _copy(source, target):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in numba.prange(source.shape[0]):
        target[i] = source[i]


def cpu_copy_gb_s() -> float:
    """What all cores copy together, read and written."""
    source, target = (np.ones((COPIED_BYTES >> 15, 1 << 12), np.int64) for _ in range(2))
    _copy(source, target)
    times = []
    for _ in range(ROUNDS):
        begin_s = time.perf_counter()
        _copy(source, target)
        times.append(time.perf_counter() - begin_s)
    return 2 * COPIED_BYTES / float(np.median(times)) / 1e9


def gpu_copy_gb_s(gpu: Any) -> float:
    """What the GPU copies within its memory, read and written."""
    with gpu.current():
        source, target = (gpu.empty((COPIED_BYTES,), np.uint8) for _ in range(2))
        gpu.times_ms(lambda: gpu.copy(source, target), 3)
        ms = float(np.median(gpu.times_ms(lambda: gpu.copy(source, target), ROUNDS, REPEATS)))
    return 2 * COPIED_BYTES / ms / 1e6


def torch_ms(case: Case, device: str) -> float | None:
    """Median time of torch's operators on the same work; None without torch, or such a device, or such operators."""
    try:
        import torch

        from benchmarks.torch_kernels import FORMS, times_ms
    except ImportError:
        return None
    if case.kernel not in FORMS or (device == "cuda" and not torch.cuda.is_available()):
        return None
    return float(np.median(times_ms(case.kernel, case.arguments(*case.size), device, ROUNDS)))


@dataclass(frozen=True, slots=True)
class Row:
    """How long one form took."""

    kernel: str
    by: str
    ms: float
    gb_s: float
    of_copy: float


def rows_of(case: Case, gpu: Any, copies: dict[str, float]) -> list[Row]:
    """A case by everything that can do it."""
    times: dict[str, float | None] = {"cpu": cpu_ms(case, load(case.kernel, "cpu"))}
    times |= {name: cpu_ms(case, rival) for name, rival in case.rivals.items()}
    times["torch"] = torch_ms(case, "cpu")
    if gpu is not None:
        times |= {"gpu": gpu_ms(case, gpu), "torch on gpu": torch_ms(case, "cuda")}
    moved = case.bytes_per_pixel * case.size[0] * case.size[1]
    rows = []
    for name, ms in times.items():
        if ms is not None:
            rate = moved / ms / 1e6
            rows.append(Row(case.name, name, ms, rate, rate / copies["gpu" if "gpu" in name else "cpu"]))
    return rows


def run(gpu: Any, console: Console) -> tuple[dict[str, Any], list[str]]:
    """Check and time everything; the result, and what is wrong. `gpu` is None where there is none."""
    copies = {"cpu": cpu_copy_gb_s()} | ({} if gpu is None else {"gpu": gpu_copy_gb_s(gpu)})
    wrong = [line for case in CASES for line in check(case, gpu)]
    rows = [row for case in CASES for row in rows_of(case, gpu, copies)]
    table = Table("kernel", "by", "ms", "GB/s", "of copying")
    for row in rows:
        table.add_row(row.kernel, row.by, f"{row.ms:.3f}", f"{row.gb_s:.1f}", f"{100 * row.of_copy:.0f} %")
    console.print(table)
    machine = describe() if gpu is None else describe(gpu.name)
    console.print(f"on {machine['processor']}, {machine['cores']} cores, GPU: {machine['gpu']}")
    console.print(", ".join(f"{name} copies {value:.1f} GB/s" for name, value in copies.items()))
    for line in wrong:
        console.print(line, style="red")
    return {"machine": machine, "copy_gb_s": copies, "kernels": [asdict(row) for row in rows]}, wrong

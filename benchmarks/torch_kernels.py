"""What torch's own operators make of a kernel's work, for `mimicam bench kernels`: on the CPU or a GPU. Needs torch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

Prepared = Callable[[], Tensor]
REPEATS: Final = 20  # on a GPU in a round: one alone takes less than its launch


def _planes(picture: Any, device: str) -> Tensor:
    """(1, channels, height, width) float32."""
    return torch.from_numpy(picture).to(device).permute(2, 0, 1)[None].float().contiguous()


def _bytes(planes: Tensor) -> Tensor:
    return (planes + 0.5).clamp(0, 255).to(torch.uint8)


def _sample(device: str, source: Any, backward: Any, out: Any) -> Prepared:
    planes = _planes(source, device)
    size = torch.tensor(source.shape[1::-1], dtype=torch.float32) - 1
    grid = (torch.from_numpy(backward) * 2 / size - 1).to(device)[None]
    return lambda: _bytes(grid_sample(planes, grid, padding_mode="border", align_corners=True))


def _composite(device: str, canvas: Any, layer: Any, matte: Any, left: int, top: int) -> Prepared:
    below, above = torch.from_numpy(canvas).to(device), torch.from_numpy(layer).to(device)
    share = torch.from_numpy(matte).to(device)[..., None]
    return lambda: _bytes(torch.lerp(below.float(), above.float(), share.float() / 255))


def _match_colour(device: str, picture: Any, table: Any, out: Any) -> Prepared:
    cube = torch.from_numpy(table).to(device).permute(3, 0, 1, 2)[None].contiguous()
    place = (torch.from_numpy(picture).to(device).float() * (2 / 255) - 1).flip(-1)[None, None]
    return lambda: _bytes(grid_sample(cube, place, align_corners=True))


FORMS: Final[dict[str, Callable[..., Prepared]]] = {
    "sample": _sample,
    "composite": _composite,
    "match_colour": _match_colour,
}


@torch.inference_mode()
def times_ms(kernel: str, arguments: tuple[Any, ...], device: str, rounds: int) -> list[float]:
    """How long each of so many rounds took on `device`, cpu or cuda, all of it in its memory."""
    work = FORMS[kernel](device, *arguments)
    for _ in range(3):
        work()
    return on_gpu_ms(work, rounds) if device == "cuda" else _on_cpu(work, rounds)


def _on_cpu(work: Prepared, rounds: int) -> list[float]:
    times = []
    for _ in range(rounds):
        begin_s = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - begin_s))
    return times


def on_gpu_ms(work: Callable[[], object], rounds: int) -> list[float]:
    """How long the GPU took in each of so many rounds, by its own events, for work that goes to torch's current stream."""
    events = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(rounds)]
    for begin, end in events:
        begin.record()
        for _ in range(REPEATS):
            work()
        end.record()
    torch.cuda.synchronize()
    return [begin.elapsed_time(end) / REPEATS for begin, end in events]

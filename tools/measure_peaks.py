"""Measure how large the answers of the shipped networks' layers get: python -m tools.measure_peaks --data DATA

Writes each layer's largest answer into models/weights/PART.safetensors, for networks in whole numbers of 8 bits, and the
file's line in SHA256SUMS. Call it after `tools.ship_renderer`, whose weights have none; until then processors without AMX
compute them in more bits. DATA has train/, on whose crops they are measured, and portraits_hi/. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load, save
from torch import Tensor, nn

from engine.render.crops import Part
from engine.render.generator import PARTS
from models.config import CONFIGS
from models.renderer import Renderer
from models.torch_runtime import load_into
from models.weights import PEAK, load_weights, read_shipped, weights_folder, write_with_sum
from tools.covered_faces import covered
from tools.train_occlusion import Units
from tools.train_renderer import Batch, scales_of
from tools.training_pairs import Pairs

LAYER = re.compile(r"(down|up|bottom)\.\d+(\.first)?")  # with a ReLU at its end
BATCHES, BATCH = 40, 8
SEED = 1


@torch.inference_mode()
def peaks_of(network: Renderer, batches: Iterable[Tensor]) -> dict[str, float]:
    """The largest number in each layer's answers to batches of inputs (n, inputs, size, size)."""
    peaks: dict[str, float] = {}

    def note(name: str, _: nn.Module, __: tuple[Tensor, ...], answer: Tensor) -> None:
        peaks[name] = max(peaks.get(name, 0.0), float(answer.max()))

    layers = [(name, layer) for name, layer in network.named_modules() if LAYER.fullmatch(name)]
    watching = [layer.register_forward_hook(partial(note, name)) for name, layer in layers]
    for batch in batches:
        network(batch)
    for watch in watching:
        watch.remove()
    return peaks


def generator_batches(part: Part, data: Path) -> Iterator[Tensor]:
    """Inputs as a specialist of the generator is trained with them, of every size."""
    random, large = np.random.default_rng(SEED), data / "portraits_hi"
    for scale in scales_of(large):
        units = iter(Pairs(part, data / "train", SEED, scale=scale, large=large if scale > 1 else None))
        for _ in range(BATCHES // scale):
            yield Batch.of(_some(units), random).inputs


def occlusion_batches(network: Renderer, data: Path) -> Iterator[Tensor]:
    """Inputs as the occlusion network is trained with them."""
    torch.manual_seed(SEED)
    units = iter(Units(data / "train", SEED))
    for _ in range(BATCHES):
        yield covered(_some(units), _some(units), _some(units), lambda inputs: network(inputs)[1]).inputs


def _some(units: Iterator[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(list(islice(units, BATCH))))


def shipped(part: str) -> Renderer:
    """A network as it is shipped, to look at."""
    network = Renderer(CONFIGS[part])
    load_into(network, load_weights(part))
    return network.eval()


def keep(part: str, peaks: dict[str, float]) -> None:
    """Write them into the network's file."""
    path = weights_folder() / f"{part}.safetensors"
    tensors = {name + PEAK: np.array(peak, np.float32) for name, peak in peaks.items()}
    write_with_sum(path, save(load(read_shipped(path)) | tensors))
    print(f"{path}: {len(peaks)} layers, answers up to {max(peaks.values()):.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    for part in PARTS:
        keep(part, peaks_of(shipped(part), generator_batches(part, data)))
    occlusion = shipped("occlusion")
    keep("occlusion", peaks_of(occlusion, occlusion_batches(occlusion, data)))


if __name__ == "__main__":
    main()

"""Make shipped weights of a training run: python -m tools.ship_renderer out/train/mouth mouth

`--keep 0.4` keeps so much of the weights that are shipped now: the mean of a network and of what it was trained on to is often
better than both (Wortsman et al., "Model soups", ICML 2022).

Writes models/weights/PART.safetensors (fp16), its line in SHA256SUMS, and tests/fixtures/renderer_PART.npz: a crop with
torch's fp32 answer, to which every runtime is held. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save

from models.config import CONFIGS, RendererConfig
from models.torch_runtime import TorchNetwork
from models.weights import load_weights, weights_folder, write_with_sum

FIXTURES = Path("tests/fixtures")


def ship(run: Path, part: str, keep: float) -> None:
    state = torch.load(run / "weights.pt", map_location="cpu", weights_only=True)
    state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    if keep:
        state = {k: (1 - keep) * state[k] + keep * torch.from_numpy(v) for k, v in load_weights(part).items()}
    # contiguous: safetensors writes a channels-last array in the order of its memory, without a word
    kept = {k: np.ascontiguousarray(v.contiguous().numpy().astype(np.float16)) for k, v in state.items()}
    path = weights_folder() / f"{part}.safetensors"
    data = save(kept)
    write_with_sum(path, data)
    FIXTURES.mkdir(exist_ok=True)
    crops = example_crop(CONFIGS[part])
    answer = TorchNetwork(load_weights(part), CONFIGS[part], len(crops))(crops)
    np.savez_compressed(FIXTURES / f"renderer_{part}.npz", crops=crops, answer=answer)
    print(f"{path}: {len(data) / 1e6:.1f} MB")


def example_crop(config: RendererConfig) -> NDArray[np.uint8]:
    """(1, size, size, inputs) uint8: smooth random patterns."""
    cells = config.size_px // 8
    coarse = np.random.default_rng(0).uniform(0, 255, (1, config.inputs, cells, cells)).astype(np.float32)
    smooth = torch.nn.functional.interpolate(torch.from_numpy(coarse), scale_factor=8.0, mode="bilinear")
    return np.ascontiguousarray(smooth.permute(0, 2, 3, 1).numpy().astype(np.uint8))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of the training run")
    parser.add_argument("part", choices=CONFIGS)
    parser.add_argument("--keep", type=float, default=0.0, help="share of the weights shipped now that stays")
    asked = parser.parse_args()
    ship(asked.run, asked.part, asked.keep)

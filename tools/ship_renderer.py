"""Make shipped weights of a training run: python -m tools.ship_renderer out/train/mouth mouth

`--keep 0.4` keeps so much of the weights that are shipped now: the mean of a network and of what it was trained on to is often
better than both (Wortsman et al., "Model soups", ICML 2022).

Writes models/weights/PART.safetensors (fp16) and its line in SHA256SUMS. `tools.measure_peaks` and
`tools.build_network_fixtures` come after it. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save

from models.config import CONFIGS
from models.weights import load_weights, weights_folder, write_with_sum


def ship(run: Path, part: str, keep: float) -> None:
    state = torch.load(run / "weights.pt", map_location="cpu", weights_only=True)
    state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    if keep:
        shipped = load_weights(part)
        state = {k: (1 - keep) * v + keep * torch.from_numpy(shipped[k]) for k, v in state.items()}
    # contiguous: safetensors writes a channels-last array in the order of its memory, without a word
    kept = {k: np.ascontiguousarray(v.contiguous().numpy().astype(np.float16)) for k, v in state.items()}
    path = weights_folder() / f"{part}.safetensors"
    data = save(kept)
    write_with_sum(path, data)
    print(f"{path}: {len(data) / 1e6:.1f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of the training run")
    parser.add_argument("part", choices=CONFIGS)
    parser.add_argument("--keep", type=float, default=0.0, help="share of the weights shipped now that stays")
    asked = parser.parse_args()
    ship(asked.run, asked.part, asked.keep)

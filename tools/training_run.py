"""What training runs share: the mean of the weights over time, and the log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    """Move the mean's weights to the network's, `keep` of the way staying; counters are copied."""
    for mean, now in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(now, 1 - keep)
        else:
            mean.copy_(now)


def write_log(lines: Iterable[dict[str, float]], out: Path) -> None:
    """Print each line of a run, and keep it in OUT/log.jsonl."""
    for line in lines:
        text = json.dumps({key: round(value, 4) for key, value in line.items()})
        print(text, flush=True)
        with (out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(text + "\n")

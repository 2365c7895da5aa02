"""What training runs share: how far they are and what they go on from, the mean of the weights over time, and the log."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

LONGEST_STEP_S = 5.0  # a run that was paused for longer has not trained meanwhile


class Course:
    """How far a run is, with what it consists of: in OUT/checkpoint.pt, from which it goes on. OUT/weights.pt is the mean."""

    def __init__(self, out: Path, parts: Mapping[str, Any], device: torch.device) -> None:
        """`parts` are modules and optimisers by name; `average` is what is shipped."""
        self.step, self.seconds = 0, 0.0
        self._out, self._parts, self._last_s = out, parts, time.monotonic()
        out.mkdir(parents=True, exist_ok=True)
        if self._checkpoint.exists():
            state = torch.load(self._checkpoint, map_location=device, weights_only=True)
            for name, part in parts.items():
                part.load_state_dict(state[name])
            self.step, self.seconds = state["step"], state["seconds"]

    @property
    def _checkpoint(self) -> Path:
        return self._out / "checkpoint.pt"

    def went_on(self) -> None:
        """One step more was made."""
        now_s = time.monotonic()
        self.step += 1
        self.seconds += min(now_s - self._last_s, LONGEST_STEP_S)
        self._last_s = now_s

    def save(self) -> None:
        """Keep it, whole or not at all."""
        state = {name: part.state_dict() for name, part in self._parts.items()}
        partial = self._checkpoint.with_suffix(".part")
        torch.save(state | {"step": self.step, "seconds": self.seconds}, partial)
        partial.replace(self._checkpoint)
        torch.save(state["average"], self._out / "weights.pt")


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

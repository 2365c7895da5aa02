"""What training runs share: how far they are and what they go on from, the mean of the weights over time, and the log."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

LONGEST_STEP_S = 5.0  # a run that was paused for longer has not trained meanwhile


class Course:
    """How far a run is, with what it consists of: in OUT/checkpoint.pt, from which it goes on. OUT/weights.pt is the mean."""

    def __init__(self, out: Path, parts: Mapping[str, Any], device: torch.device) -> None:
        """`parts` are modules and optimisers by name; `average` is what is shipped. ValueError for a checkpoint of others."""
        self.step, self.seconds = 0, 0.0
        self._out, self._parts, self._last_s = out, parts, time.monotonic()
        out.mkdir(parents=True, exist_ok=True)
        if self._checkpoint.exists():
            state = torch.load(self._checkpoint, map_location=device, weights_only=True)
            try:
                for name, part in parts.items():
                    part.load_state_dict(state[name])
            except (KeyError, ValueError, RuntimeError) as error:
                raise ValueError(
                    f"{self._checkpoint} is of a run of another kind: name another --out, or delete it"
                ) from error
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


class DeviceStore:
    """Units in the memory of the device that trains on them: see `tools/training_pool.py`."""

    def __init__(self, kept: int, shape: tuple[int, ...], device: torch.device) -> None:
        self._units, self._device = torch.empty((kept, *shape), dtype=torch.uint8, device=device), device

    def __getitem__(self, index: NDArray[np.int64]) -> Tensor:
        """(n, ...) units there."""
        return self._units[torch.from_numpy(index).to(self._device)]

    def __setitem__(self, index: NDArray[np.int64], units: NDArray[np.uint8]) -> None:
        """Send (n, ...) units there."""
        self._units[torch.from_numpy(index).to(self._device)] = torch.from_numpy(units).to(self._device)


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    """Move the mean's weights to the network's, `keep` of the way staying."""
    mean, now = ([v for v in net.state_dict().values() if v.dtype.is_floating_point] for net in (average, network))
    get_ema_multi_avg_fn(keep)(mean, now, 0)


def write_log(lines: Iterable[dict[str, float]], out: Path) -> None:
    """Print each line of a run, and keep it in OUT/log.jsonl."""
    for line in lines:
        text = json.dumps({key: round(value, 4) for key, value in line.items()})
        print(text, flush=True)
        with (out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(text + "\n")

"""The shipped reference face: mean shape, triangles and a basis of actions (made by `tools/build_face_asset.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm


@dataclass(frozen=True, slots=True)
class ReferenceFace:
    """Neutral adult in the canonical frame, symmetric about x = 0."""

    mean: lm.Points  # (478, 3), inter-ocular distances
    triangles: NDArray[np.int32]  # (852, 3), front-facing seen from -z, holes at eyes and mouth
    actions: Mapping[str, lm.Points]  # name -> (478, 3): displacement for one unit of the action

    def offsets(self, amounts: Mapping[str, float]) -> lm.Points:
        """Displacement (478, 3) from neutral for a mix of actions. KeyError names an unknown one."""
        total = np.zeros((lm.COUNT, 3), np.float32)
        for name, amount in amounts.items():
            total += np.float32(amount) * self.actions[name]
        return total


@cache
def reference_face() -> ReferenceFace:
    """The one reference face, read once."""
    with as_file(files("engine") / "assets" / "face.npz") as path:
        table = np.load(path, allow_pickle=False)
        actions = dict(zip(table["action_names"].tolist(), table["actions"], strict=True))
        return ReferenceFace(table["mean"], table["triangles"], actions)

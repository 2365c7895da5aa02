"""The shipped reference face: the mean adult, in whose proportions performances are told (`tools/build_face_model.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.shipped import shipped_table


@dataclass(frozen=True, slots=True)
class ReferenceFace:
    """Neutral adult in the canonical frame, symmetric about x = 0."""

    mean: lm.Points  # (478, 3), inter-ocular distances
    triangles: NDArray[np.int32]  # (852, 3), front-facing seen from -z, holes at eyes and mouth
    mirror: NDArray[np.int32]  # (478,), the partner of each point on the other side


@cache
def face_table() -> Mapping[str, NDArray[Any]]:
    """The arrays of the face model, read once. PuppetError as for `shipped_table`."""
    return shipped_table("face.npz")


@cache
def reference_face() -> ReferenceFace:
    """The one reference face."""
    table = face_table()
    return ReferenceFace(table["mean"], table["triangles"], table["mirror"])

"""The shipped reference face: the mean adult, in whose proportions performances are told (`tools/build_face_model.py`)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import PuppetError
from engine.face import landmarks as lm
from models.weights import DamagedWeightsError, read_shipped

ASSET: Final = "face.npz"


@dataclass(frozen=True, slots=True)
class ReferenceFace:
    """Neutral adult in the canonical frame, symmetric about x = 0."""

    mean: lm.Points  # (478, 3), inter-ocular distances
    triangles: NDArray[np.int32]  # (852, 3), front-facing seen from -z, holes at eyes and mouth
    mirror: NDArray[np.int32]  # (478,), the partner of each point on the other side


@cache
def face_table() -> Mapping[str, NDArray[Any]]:
    """The arrays of the face asset, read and checked once. PuppetError when the file isn't the one that was shipped."""
    with as_file(files("engine") / "assets") as folder:
        try:
            data = read_shipped(folder / ASSET)
        except DamagedWeightsError as error:
            raise PuppetError(
                wanted=f"the face model {folder / ASSET} as it was shipped",
                found=f"another file ({error})",
                advice="Install mimicam again, or run tools/build_face_model.py.",
            ) from error
    with np.load(io.BytesIO(data), allow_pickle=False) as table:
        return {name: table[name] for name in table.files}


@cache
def reference_face() -> ReferenceFace:
    """The one reference face."""
    table = face_table()
    return ReferenceFace(table["mean"], table["triangles"], table["mirror"])

"""What comes with mimicam beside its code and its networks' weights: `engine/assets/`."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import PuppetError
from models.weights import DamagedWeightsError, read_shipped


def shipped(name: str = "") -> Path:
    """Where a shipped file or folder lies; without a name where all of them do."""
    return Path(__file__).parent / "assets" / name


def shipped_table(name: str) -> Mapping[str, NDArray[Any]]:
    """The arrays of a shipped npz file. PuppetError when it isn't the one that was shipped."""
    path = shipped(name)
    try:
        data = read_shipped(path)
    except DamagedWeightsError as error:
        raise PuppetError(
            wanted=f"{path} as it was shipped",
            found=f"another file ({error})",
            advice="Install mimicam again, or make it with the tool of tools/ that names it.",
        ) from error
    with np.load(io.BytesIO(data), allow_pickle=False) as table:
        return {key: table[key] for key in table.files}

"""How a face is laid into a canvas, by name; the kernels do the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from engine.names import BlendName
from kernels.blend_multiband.cpu import blend_multiband
from kernels.blend_poisson.cpu import blend_poisson
from kernels.composite.cpu import composite
from kernels.feather.cpu import feather

FEATHER: Final = 0.06  # how far a matte fades inwards, inter-ocular distances
BANDS: Final = 4
Picture = NDArray[np.uint8]
Blend = Callable[[Picture, Picture, Picture, float], Picture]


def feathered(mask: Picture, unit_px: float) -> Picture:
    """(height, width): the mask as a matte that fades inwards. `unit_px`: the face's inter-ocular distance."""
    matte = np.empty_like(mask)
    feather(mask, max(1, round(FEATHER * unit_px)), matte)
    return matte


def _feather(canvas: Picture, layer: Picture, mask: Picture, unit_px: float) -> Picture:
    result = canvas.copy()
    composite(result, layer, feathered(mask, unit_px), 0, 0)
    return result


def _multiband(canvas: Picture, layer: Picture, mask: Picture, unit_px: float) -> Picture:
    """The bands, then a narrow fade: the coarse ones reach beyond the mask, where the canvas shall stay."""
    mixed_bands = np.empty_like(canvas)
    blend_multiband(canvas, layer, feathered(mask, unit_px), BANDS, mixed_bands)
    return _feather(canvas, mixed_bands, mask, unit_px / 3)


def _poisson(canvas: Picture, layer: Picture, mask: Picture, unit_px: float) -> Picture:
    """The membrane, then a narrow fade: the canvas' own grain at the edge."""
    solved = np.empty_like(canvas)
    blend_poisson(canvas, layer, mask, solved)
    return _feather(canvas, solved, mask, unit_px / 3)


BLENDS: Final[dict[BlendName, Blend]] = {"feather": _feather, "multiband": _multiband, "poisson": _poisson}
assert tuple(BLENDS) == get_args(BlendName)


def mixed(below: Picture, over: Picture, share: float) -> Picture:
    """Two pictures, `share` of which is the second."""
    return (below + (over.astype(np.float32) - below) * np.float32(share) + np.float32(0.5)).astype(np.uint8)

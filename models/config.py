"""Sizes of the generator's networks, apart from any framework."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

INPUTS: Final = 10  # channels: warped puppet BGR, drawing (3), reference BGR, stretch


@dataclass(frozen=True, slots=True)
class RendererConfig:
    """Size of one specialist."""

    size_px: int  # side of the crop it was trained on
    channels: int  # at half resolution; four times as many at the bottom
    blocks: int  # residual blocks at the bottom


CONFIGS: Final = {
    "mouth": RendererConfig(size_px=96, channels=48, blocks=3),
    "eye": RendererConfig(size_px=64, channels=32, blocks=2),
}

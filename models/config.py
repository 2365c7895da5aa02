"""Sizes of the networks, apart from any framework."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

INPUTS: Final = 10  # channels of the generator: warped puppet BGR, drawing (3), reference BGR, stretch
OCCLUSION_INPUTS: Final = 5  # channels of the occlusion network: picture BGR, the face's contour, the matte before


@dataclass(frozen=True, slots=True)
class RendererConfig:
    """Size of one network."""

    size_px: int  # side of the crop it was trained on
    channels: int  # at half resolution; four times as many at the bottom
    blocks: int  # residual blocks at the bottom
    inputs: int = INPUTS
    colours: int = 3  # channels of colour that it draws beside the matte; 0: a matte alone

    @property
    def outputs(self) -> int:
        """Channels of its answer."""
        return self.colours + 1


CONFIGS: Final = {
    "mouth": RendererConfig(size_px=96, channels=48, blocks=3),
    "eye": RendererConfig(size_px=64, channels=32, blocks=2),
    "occlusion": RendererConfig(size_px=112, channels=16, blocks=1, inputs=OCCLUSION_INPUTS, colours=0),
}

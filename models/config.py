"""Sizes of the networks, apart from any framework."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

INPUTS: Final = 10  # channels of the generator: warped puppet BGR, drawing (3), reference BGR, stretch
INSIDE: Final = 3  # that of them which shows what the inner lips surround, or the lids
OCCLUSION_INPUTS: Final = 5  # channels of the occlusion network: picture BGR, the face's contour, the matte before


@dataclass(frozen=True, slots=True)
class Detail:
    """What a mouth keeps of the warp's layers as it opens wide, where a network draws the mean of what teeth might be there."""

    share: float  # of the layers' fine detail that is put on the network's colours
    window_px: int  # odd; what varies over less than this is detail
    rim_px: int  # odd; over which it fades out at the lips
    narrow: float  # share of the crop up to which an opening is left to the network alone
    wide: float  # and from which on that share is kept

    def enlarged(self, scale: int) -> Detail:
        """The same of a face in crops of `scale` times the size."""
        window, rim = (scale * (side - 1) + 1 for side in (self.window_px, self.rim_px))
        return replace(self, window_px=window, rim_px=rim)


@dataclass(frozen=True, slots=True)
class RendererConfig:
    """Size of one network."""

    size_px: int  # side of the crops it draws in
    channels: int  # at half resolution; four times as many at the bottom
    blocks: int  # residual blocks at the bottom
    inputs: int = INPUTS
    colours: int = 3  # channels of colour that it draws beside the matte; 0: a matte alone
    detail: Detail | None = None

    @property
    def outputs(self) -> int:
        """Channels of its answer."""
        return self.colours + 1

    def enlarged(self, scale: int) -> RendererConfig:
        """The same network in crops of `scale` times the size; what is detail of a face stays detail."""
        return replace(self, size_px=scale * self.size_px, detail=self.detail and self.detail.enlarged(scale))


CONFIGS: Final = {
    "mouth": RendererConfig(size_px=96, channels=48, blocks=3, detail=Detail(0.4, 9, 3, 0.05, 0.11)),
    "eye": RendererConfig(size_px=64, channels=32, blocks=2),
    "occlusion": RendererConfig(size_px=112, channels=32, blocks=3, inputs=OCCLUSION_INPUTS, colours=0),
}

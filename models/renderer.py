"""The networks: the generator's redraw one part of the face (mouth, or an eye) where the warp can't.

A U-Net as in FSGAN's reenactment and inpainting generators (Nirkin et al., "FSGAN: Subject Agnostic Face Swapping and
Reenactment", ICCV 2019, section 3.2), local to one part, with a matte that leaves the warp alone where it is right.

    input   (n, 10, s, s) float in [-1, 1]: warped puppet BGR, drawing of the target's geometry (3), the photograph's own
            part BGR, stretch of the warp; s is the config's `size_px`, or any multiple of 16
    output  colour (n, 3, s, s) in [-1, 1] and matte (n, 1, s, s) in [0, 1]; the picture is warp + matte * (colour - warp)

The occlusion network is the same without colour, as FSGAN's segmentation (section 3.3) is a U-Net:

    input   (n, 5, s, s) float in [-1, 1]: the picture around a face BGR, its contour filled, the matte before
    output  matte (n, 1, s, s) in [0, 1]: 1 where something lies in front of the face
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.config import INSIDE, Detail, RendererConfig

WARP = slice(0, 3)
DRAWING = slice(3, 6)
REFERENCE = slice(6, 9)


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


class Renderer(nn.Module):
    """See the top of this file. Stock operators only: convolution, batch norm, ReLU, nearest upsampling, concatenation, and
    the exchange of two by two pixels for four channels, by which the widest layers work at half resolution
    (2.8 times faster to train than with 24 channels at full resolution, at as many parameters)."""

    def __init__(self, config: RendererConfig) -> None:
        super().__init__()
        c = config.channels
        widths = (c, 2 * c, 4 * c, 4 * c)
        self.down = nn.ModuleList(
            _conv(inputs, outputs, 1 if level == 0 else 2)
            for level, (inputs, outputs) in enumerate(zip((4 * config.inputs, *widths), widths, strict=False))
        )
        self.bottom = nn.Sequential(*(_Residual(4 * c) for _ in range(config.blocks)))
        self.up = nn.ModuleList(_conv(i, o) for i, o in ((8 * c, 4 * c), (6 * c, 2 * c), (3 * c, c)))
        self.head = nn.Conv2d(c, 4 * config.outputs, 3, 1, 1)
        self._colours = config.colours

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Colour (no channels where the config has none) and matte of a batch of crops."""
        skips: list[Tensor] = []
        x = F.pixel_unshuffle(x, 2)  # (n, 4 * inputs, s/2, s/2)
        for layer in self.down:
            x = layer(x)  # (n, c..4c, s/2..s/16, s/2..s/16)
            skips.append(x)
        x = self.bottom(x)  # (n, 4c, s/16, s/16)
        for level, layer in enumerate(self.up):
            x = layer(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), skips[2 - level]], 1))
        drawn = F.pixel_shuffle(self.head(x), 2)  # (n, outputs, s, s)
        return torch.tanh(drawn[:, : self._colours]), torch.sigmoid(drawn[:, self._colours :])


def with_detail(x: Tensor, colour: Tensor, detail: Detail) -> Tensor:
    """A mouth network's colour for crops `x` with what wide mouths keep of the warp: the fine detail of its teeth. Not part of
    the training, in which the network would learn to take it off again."""
    inside, warp = (x[:, INSIDE : INSIDE + 1] + 1) / 2, x[:, WARP]
    opened = inside.mean((2, 3), keepdim=True)
    wide = ((opened - detail.narrow) / (detail.wide - detail.narrow)).clamp(0, 1)
    kept = wide * _mean_around(inside, detail.rim_px)
    fine = warp - _mean_around(warp, detail.window_px)
    return (colour + detail.share * kept * fine).clamp(-1, 1)


def _mean_around(x: Tensor, window_px: int) -> Tensor:
    return F.avg_pool2d(x, window_px, 1, window_px // 2, count_include_pad=False)

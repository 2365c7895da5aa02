"""Generators of published methods, built from their papers with random weights: something to hold our times against.

They are for `mimicam bench generators` alone, are not trained, and draw nothing sensible. Every one takes what the paper's
generator takes at 256 x 256 and gives (1, 3, 256, 256).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Norm = Callable[[int], nn.Module]


def _conv(inputs: int, outputs: int, size: int = 3, stride: int = 1, norm: Norm = nn.InstanceNorm2d) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, size, stride, size // 2), norm(outputs), nn.ReLU(True))


class _Residual(nn.Module):
    def __init__(self, channels: int, norm: Norm = nn.InstanceNorm2d) -> None:
        super().__init__()
        last = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1), norm(channels))
        self.layers = nn.Sequential(_conv(channels, channels, norm=norm), *last)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Pix2PixHD(nn.Module):
    """The global generator of pix2pixHD (Wang et al., CVPR 2018, appendix): c7s1-64, four downsamplings to 1024, nine
    residual blocks, four upsamplings. FSGAN's reenactment and inpainting generators are of this kind (Nirkin et al., ICCV
    2019, section 3). Input (n, 6, 256, 256): picture and drawing of the landmarks."""

    def __init__(self) -> None:
        super().__init__()
        widths = [64, 128, 256, 512, 1024]
        layers: list[nn.Module] = [_conv(6, 64, 7)]
        layers += [_conv(i, o, stride=2) for i, o in pairwise(widths)]
        layers += [_Residual(1024) for _ in range(9)]
        for i, o in zip(widths[::-1], widths[-2::-1], strict=False):
            layers += [nn.Upsample(scale_factor=2.0, mode="nearest"), _conv(i, o)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(64, 3, 7, 1, 3), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)

    @staticmethod
    def example() -> tuple[Tensor, ...]:
        """An input."""
        return (torch.randn(1, 6, 256, 256),)


class _Hourglass(nn.Module):
    """U-Net of the first-order model: five halvings, channels doubled from `width` to at most 1024."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        wide = [inputs, *(min(1024, width * 2**i) for i in range(1, 6))]
        self.down = nn.ModuleList(_conv(i, o, norm=nn.BatchNorm2d) for i, o in pairwise(wide))
        into = [wide[5], *(2 * w for w in wide[4:0:-1])]
        out = [min(1024, width * 2**i) for i in range(4, -1, -1)]
        self.up = nn.ModuleList(_conv(i, o, norm=nn.BatchNorm2d) for i, o in zip(into, out, strict=True))
        self.outputs = out[-1] + inputs

    def forward(self, x: Tensor) -> Tensor:
        skips = [x]
        for layer in self.down:
            skips.append(F.avg_pool2d(layer(skips[-1]), 2))
        x = skips.pop()
        for layer in self.up:
            x = torch.cat([layer(F.interpolate(x, scale_factor=2.0, mode="nearest")), skips.pop()], 1)
        return x


class FirstOrderMotion(nn.Module):
    """First-order motion model (Siarohin et al., NeurIPS 2019, supplementary): keypoint detector and dense motion at a quarter
    of the size, then a generator that warps features at 64 x 64 and decodes them. Input (n, 3, 256, 256) driving frame and
    (n, 256, 64, 64) features of the source, which are computed once."""

    keypoints = 10

    def __init__(self) -> None:
        super().__init__()
        self.detector = _Hourglass(3, 32)
        self.heat = nn.Conv2d(self.detector.outputs, self.keypoints * 5, 7, 1, 3)  # maps and Jacobians
        self.motion = _Hourglass((self.keypoints + 1) * 4, 64)
        self.flow = nn.Conv2d(self.motion.outputs, self.keypoints + 2, 7, 1, 3)
        decoder: list[nn.Module] = [_Residual(256, nn.BatchNorm2d) for _ in range(6)]
        for i, o in ((256, 128), (128, 64)):
            decoder += [nn.Upsample(scale_factor=2.0, mode="nearest"), _conv(i, o, norm=nn.BatchNorm2d)]
        self.decoder = nn.Sequential(*decoder, nn.Conv2d(64, 3, 7, 1, 3), nn.Sigmoid())

    def forward(self, driving: Tensor, features: Tensor) -> Tensor:
        small = F.avg_pool2d(driving, 4)
        heat = self.heat(self.detector(small))
        candidates = torch.cat([heat[:, : self.keypoints + 1]] * 4, 1)
        flow = self.flow(self.motion(candidates))
        grid = torch.tanh(flow[:, :2]).permute(0, 2, 3, 1)
        warped = F.grid_sample(features, grid, align_corners=False) * torch.sigmoid(flow[:, 2:3])
        return self.decoder(warped)

    @staticmethod
    def example() -> tuple[Tensor, ...]:
        """Inputs."""
        return torch.randn(1, 3, 256, 256), torch.randn(1, 256, 64, 64)


class _Spade(nn.Module):
    """Spatially-adaptive normalisation (Park et al., "Semantic Image Synthesis with SPADE", CVPR 2019, section 3)."""

    def __init__(self, channels: int, labels: int) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(channels)
        self.shared = nn.Sequential(nn.Conv2d(labels, 128, 3, 1, 1), nn.ReLU(True))
        self.gain, self.shift = (nn.Conv2d(128, channels, 3, 1, 1) for _ in range(2))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        seen = self.shared(F.interpolate(labels, size=x.shape[2:], mode="nearest"))
        return self.norm(x) * (1 + self.gain(seen)) + self.shift(seen)


class _SpadeBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, labels: int) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        self.first, self.second = _Spade(inputs, labels), _Spade(middle, labels)
        self.conv = nn.Conv2d(inputs, middle, 3, 1, 1)
        self.conv_out = nn.Conv2d(middle, outputs, 3, 1, 1)
        self.short = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else None
        self.norm = _Spade(inputs, labels) if inputs != outputs else None

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        straight = x if self.short is None or self.norm is None else self.short(self.norm(x, labels))
        x = self.conv(F.leaky_relu(self.first(x, labels), 0.2))
        return straight + self.conv_out(F.leaky_relu(self.second(x, labels), 0.2))


class SpadeDecoder(nn.Module):
    """The decoder of LivePortrait (Guo et al., 2024, section 3), a SPADE generator as in face-vid2vid: six blocks of 512
    channels at 64 x 64, then 256 and 64 with upsampling. Input: warped features (n, 256, 64, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(256, 512, 3, 1, 1)
        self.middle = nn.ModuleList(_SpadeBlock(512, 512, 256) for _ in range(6))
        self.up = nn.ModuleList(_SpadeBlock(i, o, 256) for i, o in ((512, 256), (256, 64)))
        self.last = nn.Conv2d(64, 3, 3, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        x = self.first(features)
        for block in self.middle:
            x = block(x, features)
        for block in self.up:
            x = block(F.interpolate(x, scale_factor=2.0, mode="nearest"), features)
        return torch.sigmoid(self.last(F.leaky_relu(x, 0.2)))

    @staticmethod
    def example() -> tuple[Tensor, ...]:
        """An input."""
        return (torch.randn(1, 256, 64, 64),)


PUBLISHED: dict[str, Callable[[], nn.Module]] = {
    "pix2pixHD, as in FSGAN": Pix2PixHD,
    "first-order motion": FirstOrderMotion,
    "SPADE decoder, as in LivePortrait": SpadeDecoder,
}

"""Faces with things in front of them, put together on the device that trains on them: any face behind any thing.

A unit, (size, size, 9) uint8, is a face and a thing that was drawn for it (`tools/occluders.py`), side by side. Drawing one takes
longer than training on it, so a batch takes its faces from some units and its things from others, turned and moved a little, in a
colour that suits. Of a few thousand units no two pictures are alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from tools.occluders import SHADOW

PLANES = 9  # of a unit: face BGR, its contour filled, weight of each pixel, thing BGR, its matte
FACE, CONTOUR, WEIGHT, THING, MATTE = slice(0, 3), slice(3, 4), slice(4, 5), slice(5, 8), slice(8, 9)
PLAIN, TWO = 0.25, 0.15  # of all pictures have nothing in front, or two things
MOVED = 0.5  # of the things; the others stay as they were drawn, since moving them takes of what is fine
MOVES = (6.0, 0.1, 0.05)  # standard deviations: degrees, scale (natural log), shift (half crops)
TONED = 0.6  # of the things take the difference between their own face's colour and this one's
LARGEST_TONE = 2.5
# How often the matte before is empty, another one, or the truth; else it is what the network answered without one, with the
# mistakes that it will meet.
NO_MEMORY, WRONG_MEMORY, TRUE_MEMORY = 0.35, 0.08, 0.17
FADED = 0.7  # share of what is remembered, at least
MOTION_PX = 3.0  # from one picture to the next, standard deviation
SHADE_RADIUS, LENS_RADIUS = 9, 4  # px that blurs reach


@dataclass(frozen=True, slots=True)
class Covered:
    """What the network gets, and what it should say."""

    inputs: Tensor  # (n, 5, size, size) in [-1, 1]: picture BGR, contour, matte before
    truth: Tensor  # (n, 1, size, size) in [0, 1]
    weight: Tensor  # (n, 1, size, size) in [0, 1]


@torch.no_grad()
def covered(faces: Tensor, things: Tensor, others: Tensor, answer: Callable[[Tensor], Tensor]) -> Covered:
    """Of three batches of units (n, size, size, 9) uint8: the first lends faces, the second things, the third second things and
    mattes that are wrong. `answer` is the network, from inputs to mattes (n, 1, size, size)."""
    face, first, second = (_mirrored(_planes(units)) for units in (faces, things, others))
    count = torch.rand(len(face), 1, 1, 1, device=face.device)
    picture, truth = _behind(face[:, FACE], face, first, count > PLAIN)
    picture, more = _behind(picture, face, second, count > 1 - TWO)
    truth = torch.maximum(truth, more)
    seen = torch.cat([_filmed(picture) / 127.5 - 1, face[:, CONTOUR] / 127.5 - 1, -torch.ones_like(truth)], 1)
    seen = seen.contiguous(memory_format=torch.channels_last)
    before = _before(truth, second[:, MATTE] / 255, answer(seen))
    seen[:, 4:] = 2 * before - 1
    return Covered(seen, truth, face[:, WEIGHT] / 255)


def _planes(units: Tensor) -> Tensor:
    return units.permute(0, 3, 1, 2).float()


def _mirrored(units: Tensor) -> Tensor:
    return torch.where(torch.rand(len(units), 1, 1, 1, device=units.device) < 0.5, units.flip(3), units)


def _uniform(like: Tensor, low: float, high: float, channels: int = 1) -> Tensor:
    """(n, channels, 1, 1)."""
    return low + (high - low) * torch.rand(len(like), channels, 1, 1, device=like.device)


def _behind(picture: Tensor, face: Tensor, thing: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """The picture with a thing in front, where it is `there`, and the thing's matte (n, 1, size, size) in [0, 1]."""
    toned = torch.where(
        _uniform(face, 0, 1) < TONED, _tone(face) / _tone(thing), torch.ones_like(picture[:, :, :1, :1])
    )
    colour = (thing[:, THING] * toned.clamp(1 / LARGEST_TONE, LARGEST_TONE)).clamp(0, 255)
    placed = torch.cat([colour, thing[:, MATTE] / 255], 1)
    placed = torch.where(_uniform(face, 0, 1) < MOVED, _turned(placed), placed)
    matte = placed[:, 3:] * there
    size = picture.shape[-1]
    shade = _blurred(
        matte.roll((size // 40, size // 60), (2, 3)),
        torch.full_like(there, size / 30.0, dtype=torch.float32),
        SHADE_RADIUS,
    )
    lit = picture * (1 - SHADOW * _uniform(face, 0, 1) * shade)
    return lit + (placed[:, :3] - lit) * matte, matte


def _tone(units: Tensor) -> Tensor:
    """(n, 3, 1, 1): the mean colour within a unit's contour."""
    inside = units[:, CONTOUR] / 255
    return (units[:, FACE] * inside).sum((2, 3), keepdim=True) / inside.sum((2, 3), keepdim=True).clamp(min=1) + 1


def _turned(x: Tensor) -> Tensor:
    """Turned, scaled and moved at random, each differently; nothing beyond the edge."""
    degrees, scale, shift = (s * torch.randn(len(x), n, device=x.device) for s, n in zip(MOVES, (1, 1, 2), strict=True))
    angle, step = torch.deg2rad(degrees), torch.exp(scale)
    turn = torch.cat([angle.cos() * step, -angle.sin() * step, angle.sin() * step, angle.cos() * step], 1)
    return _resampled(x, torch.cat([turn.view(-1, 2, 2), shift[..., None]], 2))


def _resampled(x: Tensor, theta: Tensor) -> Tensor:
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def _before(truth: Tensor, wrong: Tensor, own: Tensor) -> Tensor:
    """The matte that is remembered: of the picture before, of something else, or none. Whole levels, as in the loop."""
    draw = _uniform(truth, 0, 1)
    shift = torch.randn(len(truth), 2, 1, device=truth.device) * (2 * MOTION_PX / truth.shape[-1])
    stay = torch.eye(2, device=truth.device).expand(len(truth), 2, 2)
    remembered = torch.where(draw < NO_MEMORY + WRONG_MEMORY + TRUE_MEMORY, truth, own)
    remembered = torch.where(draw < NO_MEMORY + WRONG_MEMORY, wrong, remembered)
    moved = _resampled(remembered, torch.cat([stay, shift], 2)) * _uniform(truth, FADED, 1)
    return torch.where(draw < NO_MEMORY, torch.zeros_like(truth), (255 * moved + 0.5).floor() / 255)


def _filmed(picture: Tensor) -> Tensor:
    """In another light, through a lens, a sensor and a codec. Whole levels in [0, 255]."""
    x = picture * _uniform(picture, 0.85, 1.18, 3) * _uniform(picture, 0.6, 1.3)
    x = x + 10 * torch.randn(len(x), 1, 1, 1, device=x.device)
    x = torch.where(_uniform(x, 0, 1) < 0.5, _blurred(x, _uniform(x, 0.3, 1.4), LENS_RADIUS), x)
    x = (x + _uniform(x, 0, 6) * torch.randn_like(x)).round().clamp(0, 255)
    return torch.where(_uniform(x, 0, 1) < 0.5, coded(x, _uniform(x, 35, 95)), x)


def _blurred(x: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """Gaussians of standard deviations (n, 1, 1, 1) px; the edge goes on."""
    count, channels, height, width = x.shape
    away = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (away / sigma.view(-1, 1)) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)[:, None]
    y = F.pad(x, [radius] * 4, mode="replicate").reshape(1, count * channels, height + 2 * radius, width + 2 * radius)
    y = F.conv2d(y, kernel[:, :, None], groups=count * channels)
    return F.conv2d(y, kernel[..., None], groups=count * channels).view(x.shape)


def coded(picture: Tensor, quality: Tensor) -> Tensor:
    """What JPEG leaves of pictures (n, 3, h, w) BGR in [0, 255], h and w multiples of 8, in qualities (n, 1, 1, 1) from 1 to 100
    (ITU-T T.81, annexes A.3.3 and K.1); colours at full resolution."""
    to_ycc, to_bgr, cosines, tables = (t.to(picture) for t in _codec())
    count, _, height, width = picture.shape
    ycc = torch.einsum("ij,njhw->nihw", to_ycc, picture) - picture.new_tensor([128.0, 0, 0]).view(3, 1, 1)
    blocks = ycc.view(count, 3, height // 8, 8, width // 8, 8)
    waves = torch.einsum("ui,ncaibj,vj->ncaubv", cosines, blocks, cosines)
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).view(-1, 1, 1, 1, 1, 1)
    step = ((tables.view(1, 3, 1, 8, 1, 8) * percent + 50) / 100).floor().clamp(1, 255)
    blocks = torch.einsum("ui,ncaubv,vj->ncaibj", cosines, (waves / step).round() * step, cosines)
    ycc = blocks.reshape(picture.shape) + picture.new_tensor([128.0, 0, 0]).view(3, 1, 1)
    return torch.einsum("ij,njhw->nihw", to_bgr, ycc).round().clamp(0, 255)


@cache
def _codec() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """BGR to luma and chroma (JFIF), the way back, the cosines of eight samples, and the steps of each wave (annex K)."""
    to_ycc = torch.tensor([[0.114, 0.587, 0.299], [0.5, -0.331264, -0.168736], [-0.081312, -0.418688, 0.5]])
    n = torch.arange(8)
    cosines = torch.cos((2 * n + 1) * n[:, None] * torch.pi / 16) / 2
    cosines[0] /= 2**0.5
    luma = torch.tensor([
        [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55], [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62], [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
    ])  # fmt: skip
    chroma = torch.full((8, 8), 99)
    chroma[:4, :4] = torch.tensor([[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]])
    return to_ycc, torch.linalg.inv(to_ycc), cosines, torch.stack([luma, chroma, chroma]).float()

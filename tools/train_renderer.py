"""Train one of the generator's specialists: python -m tools.train_renderer mouth --data DATA/train --out out/train --minutes 90

Begins with the shipped weights, unless told `--anew`. `--large DATA/portraits_hi` trains every other step in crops of twice the
size, which GPUs draw in: the same weights for both. Runs on a GPU where there is one, else on the CPU, in bf16. Writes to
OUT/PART: `checkpoint.pt` (go on from it by calling the same command again), `weights.pt` (EMA), `log.jsonl`, `sheet.png` and
`sheet_large.png` (warp, generator, truth). `tools.ship_renderer` makes shipped weights of it. Needs the extra `train`.

Losses: L1 and gradients, weighted on the part; features and hinge of a PatchGAN (Isola et al., "Image-to-Image Translation
with Conditional Adversarial Networks", CVPR 2017; Wang et al., pix2pixHD, CVPR 2018, section 3.2) with instance norm;
the change from one picture to the next against the truth's; a small price on the matte.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.render.crops import Part
from engine.render.generator import LARGE, PARTS
from models.config import CONFIGS, INPUTS
from models.renderer import DRAWING, REFERENCE, WARP, Renderer
from models.torch_runtime import load_into
from models.weights import load_weights
from tools.training_pairs import Pairs
from tools.training_pool import Pool, Supply, shared_out
from tools.training_run import Course, DeviceStore, follow, write_log

BATCH: dict[str, int] = {"cpu": 12, "cuda": 64}  # units, of two pictures each; a quarter of them where crops are large
POOL: dict[str, int] = {"cpu": 9000, "cuda": 40000}  # newest units, kept and used several times under other light
USES = 4  # of each unit; making one costs as much as training on two
RATE, LAST_RATE, FALLS_FROM = 4e-4, 1.5e-5, 0.6
ADVERSARY_FROM = 0.05  # of the run
EMA = 0.998
LOG_STEPS: dict[str, int] = {"cpu": 100, "cuda": 500}
SHEET = 24  # units
W_REST, W_PART = 0.3, 3.0
W_ADVERSARY, W_FEATURES, W_FLICKER, W_MATTE = 0.03, 0.05, 0.5, 0.01


class Adversary(nn.Module):
    """PatchGAN discriminator of a picture and its drawing, with its inner features."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        widths = (6, channels, 2 * channels, 4 * channels, 4 * channels)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(i, o, 4, 2 if n < 3 else 1, 1), nn.InstanceNorm2d(o) if n else nn.Identity())
            for n, (i, o) in enumerate(pairwise(widths))
        )
        self.last = nn.Conv2d(widths[-1], 1, 4, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        features: list[Tensor] = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.last(x), features


def mirrored(units: Tensor, random: np.random.Generator) -> Tensor:
    """The units (n, 2, size, size, channels) with half of them mirrored."""
    chosen = torch.from_numpy(random.random(len(units)) < 0.5).to(units.device)
    return torch.where(chosen[:, None, None, None, None], units.flip(3), units)


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors of a batch, pictures in [-1, 1]."""

    inputs: Tensor  # (n, 10, s, s)
    truth: Tensor  # (n, 3, s, s)
    weight: Tensor  # (n, 1, s, s)

    @staticmethod
    def of(units: Tensor, random: np.random.Generator) -> Batch:
        """Of units (n, 2, s, s, 14) uint8, with the light changed at random, the same for all pictures of a unit."""
        x = units.flatten(0, 1).permute(0, 3, 1, 2).float() / 127.5 - 1
        x = x.contiguous(memory_format=torch.channels_last)
        count, device = len(units), units.device
        gain = np.repeat(random.uniform(0.8, 1.25, (count, 3)) * random.uniform(0.75, 1.2, (count, 1)), 2, axis=0)
        bias = np.repeat(random.uniform(-0.12, 0.12, (count, 1)), 2, axis=0)
        scale, shift = (
            torch.as_tensor(v, dtype=torch.float32, device=device)[..., None, None] for v in (gain, bias + gain - 1)
        )
        for picture in (WARP, REFERENCE, slice(INPUTS, INPUTS + 3)):
            x[:, picture] = (x[:, picture] * scale + shift).clamp(-1, 1)
        return Batch(x[:, :INPUTS], x[:, INPUTS : INPUTS + 3], (x[:, INPUTS + 3 :] + 1) / 2)


def gradients(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def weighted_l1(picture: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """L1 of colours at two scales and of gradients."""
    (py, px), (ty, tx) = gradients(picture), gradients(truth)
    half = [F.avg_pool2d(t, 4) for t in (picture, truth, weight)]
    return (
        ((picture - truth).abs() * weight).mean()
        + ((py - ty).abs() * weight[..., 1:, :]).mean()
        + ((px - tx).abs() * weight[..., :, 1:]).mean()
        + 0.5 * ((half[0] - half[1]).abs() * half[2]).mean()
    )


class Trainer:
    """Networks, optimisers and how far the run is."""

    def __init__(self, part: Part, out: Path, device: torch.device, sizes: int, rate: float, *, anew: bool) -> None:
        """For crops of so many sizes, each with an adversary of its own."""
        self.config, self.device, self.rate = CONFIGS[part], device, rate
        like: Any = {"device": device, "memory_format": torch.channels_last}
        self.generator = Renderer(self.config).to(**like)
        self.adversary = nn.ModuleList(Adversary() for _ in range(sizes)).to(**like)
        if not anew:
            load_into(self.generator, load_weights(part))
        self.average = Renderer(self.config).to(**like)
        self.average.load_state_dict(self.generator.state_dict())
        self.by_generator = torch.optim.Adam(self.generator.parameters(), rate, (0.5, 0.99))
        self.by_adversary = torch.optim.Adam(self.adversary.parameters(), rate, (0.5, 0.99))
        names = ("generator", "adversary", "average", "by_generator", "by_adversary")
        self.course = Course(out, {name: getattr(self, name) for name in names}, device)

    def train(self, batch: Batch, number: int, share: float) -> dict[str, Tensor]:
        """One step in crops of the size of that number; `share` of the run is over."""
        rate = self.rate if share < FALLS_FROM else max(LAST_RATE, self.rate * (1 - share) / (1 - FALLS_FROM))
        for optimiser in (self.by_generator, self.by_adversary):
            for group in optimiser.param_groups:
                group["lr"] = rate
        self.generator.train(share < FALLS_FROM)  # batch norm in the end as in use: crops of both sizes share its means
        adversarial = share > ADVERSARY_FROM
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            colour, matte = self.generator(batch.inputs)
        colour, matte = colour.float(), matte.float()
        warp = batch.inputs[:, WARP]
        picture = warp + matte * (colour - warp)
        weight = W_REST + W_PART * batch.weight
        change = (picture[1::2] - picture[::2]) - (batch.truth[1::2] - batch.truth[::2])
        l1 = weighted_l1(picture, batch.truth, weight)
        loss = l1 + W_FLICKER * (change.abs() * weight[::2]).mean() + W_MATTE * matte.mean()
        drawing, adversary = batch.inputs[:, DRAWING], self.adversary[number]
        if adversarial:
            loss = loss + self._fool(adversary, picture, batch.truth, drawing)
        self.by_generator.zero_grad()
        loss.backward()
        self.by_generator.step()
        hinge = l1.new_zeros(())
        if adversarial:
            hinge = self._learn(adversary, picture.detach(), batch.truth, drawing)
        follow(self.average, self.generator, min(EMA, self.course.step / (self.course.step + 20)))
        self.course.went_on()
        with torch.no_grad():
            before = weighted_l1(warp, batch.truth, weight)
        return {"l1": l1.detach(), "warp_l1": before, "hinge": hinge, "matte": matte.detach().mean()}

    def _fool(self, adversary: nn.Module, picture: Tensor, truth: Tensor, drawing: Tensor) -> Tensor:
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            verdict, features = adversary(torch.cat([picture, drawing], 1))
            with torch.no_grad():
                _, wanted = adversary(torch.cat([truth, drawing], 1))
        alike = torch.stack([(a.float() - b.float()).abs().mean() for a, b in zip(features, wanted, strict=True)]).sum()
        return W_FEATURES * alike - W_ADVERSARY * verdict.float().mean()

    def _learn(self, adversary: nn.Module, picture: Tensor, truth: Tensor, drawing: Tensor) -> Tensor:
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            real = adversary(torch.cat([truth, drawing], 1))[0].float()
            made = adversary(torch.cat([picture, drawing], 1))[0].float()
        hinge = F.relu(1 - real).mean() + F.relu(1 + made).mean()
        self.by_adversary.zero_grad()
        hinge.backward()
        self.by_adversary.step()
        return hinge.detach()

    @torch.no_grad()
    def sheet(self, batch: Batch, path: Path) -> None:
        """Warp, drawing, generator, matte and truth of some pictures."""
        self.average.eval()
        colour, matte = self.average(batch.inputs[::2])
        warp = batch.inputs[::2, WARP]
        columns = [
            warp,
            batch.inputs[::2, DRAWING],
            warp + matte * (colour - warp),
            2 * matte.expand(-1, 3, -1, -1) - 1,
            batch.truth[::2],
        ]
        rows = torch.cat(columns, 3)[:SHEET].clamp(-1, 1).permute(0, 2, 3, 1).cpu().float().numpy()
        half = len(rows) // 2
        picture = np.hstack([np.vstack(list(rows[:half])), np.vstack(list(rows[half : 2 * half]))])
        cv2.imwrite(str(path), cv2.resize(((picture + 1) * 127.5).astype(np.uint8), None, fx=1.5, fy=1.5))


def pools_of(part: Part, data: Path, large: Path | None, workers: int, device: torch.device) -> list[Pool]:
    """What each size of crops is trained with: the network's own, and twice that where there are large portraits. ValueError
    where there are too few processes. On a GPU each pool takes up to 10 GB of its memory."""
    pools: list[Pool] = []
    scales = scales_of(large)
    for scale, makers in zip(scales, shared_out(workers, len(scales)), strict=True):
        fewer, size = scale**2, scale * CONFIGS[part].size_px
        shape = (2, size, size, INPUTS + 4)
        supply = Supply(shape, BATCH[device.type] // fewer, POOL[device.type] // fewer, USES)
        pairs = partial(Pairs, part, data, scale=scale, large=large if scale > 1 else None)
        store = DeviceStore(supply.kept, shape, device)
        pools.append(Pool(pairs, supply, makers, store))
    return pools


def scales_of(large: Path | None) -> tuple[int, ...]:
    """How many times the network's size the crops are that it is trained in."""
    return (1,) if large is None else (1, LARGE)


def run(
    part: Part, data: Path, large: Path | None, out: Path, minutes: float, workers: int, rate: float, *, anew: bool
) -> Iterator[dict[str, float]]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    trainer, random = Trainer(part, out, device, len(scales_of(large)), rate, anew=anew), np.random.default_rng()
    pools = pools_of(part, data, large, workers, device)
    recent, course = [list[dict[str, Tensor]]() for _ in pools], trainer.course
    shown: dict[int, Batch] = {}  # the last of each size
    while course.seconds < 60 * minutes:
        number = course.step % len(pools)
        units = pools[number].batch(random)
        if part == "mouth":  # the right eye is mirrored already: all eyes look alike
            units = mirrored(units, random)
        shown[number] = Batch.of(units, random)
        recent[number].append(trainer.train(shown[number], number, course.seconds / (60 * minutes)))
        if course.step % LOG_STEPS[device.type] == 0 or course.seconds >= 60 * minutes:
            course.save()
            for which, batch in shown.items():
                trainer.sheet(batch, out / ("sheet_large.png" if which else "sheet.png"))
            yield {"step": course.step, "minutes": course.seconds / 60} | {
                name if scale == 1 else f"{name}, {scale}x": value
                for scale, pool, steps in zip(scales_of(large), pools, recent, strict=True)
                for name, value in ({"units": pool.made} | means_of(steps)).items()
            }
            for steps in recent:
                steps.clear()


def means_of(steps: list[dict[str, Tensor]]) -> dict[str, float]:
    """The mean of each figure of some steps."""
    return {name: float(torch.stack([step[name] for step in steps]).mean()) for name in (steps[0] if steps else ())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--large", type=Path, help="folder of large portraits: train crops of twice the size too")
    parser.add_argument("--out", type=Path, default=Path("out/train"))
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--workers", type=int, default=2, help="processes that make pairs, one at least for each size")
    parser.add_argument(
        "--rate", type=float, default=RATE, help="of learning, until it falls; less for a short while more"
    )
    parser.add_argument("--anew", action="store_true", help="from random weights rather than from the shipped ones")
    asked = parser.parse_args()
    out = asked.out / asked.part
    log = run(asked.part, asked.data, asked.large, out, asked.minutes, asked.workers, asked.rate, anew=asked.anew)
    write_log(log, out)


if __name__ == "__main__":
    main()

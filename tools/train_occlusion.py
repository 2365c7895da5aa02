"""Train the occlusion network: python -m tools.train_occlusion --data DATA/train --out out/train --minutes 40

Faces of stills and clips with things in front of them (`tools/occluders.py`), as FSGAN's segmentation is trained on
composited hands (Nirkin et al., ICCV 2019, section 4.1). Processes draw faces and things; which thing is before which face is
chosen on the device that trains (`tools/covered_faces.py`). The matte of the picture before is an input, so that the answer is
steady; in training it is what the network itself answered, the truth, both moved a little, nothing, or wrong.

Begins with the shipped weights, unless told `--anew`. Runs on a GPU where there is one, else on the CPU, in bf16. Writes to
OUT/occlusion: `checkpoint.pt` (go on from it by calling the same command again), `weights.pt` (EMA), `log.jsonl`, `sheet.png`.
`tools.ship_renderer` makes shipped weights of it. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engine.face import landmarks as lm
from engine.face.pose import fit_head
from engine.face.reference import reference_face
from engine.face.retarget import Target
from engine.render.crops import FACE, crop_matrix, to_crop
from engine.render.occlusion import contour
from kernels.crop_normalise.cpu import crop
from models.config import CONFIGS
from models.renderer import Renderer
from models.torch_runtime import load_into
from models.weights import load_weights
from tools.covered_faces import PLANES, Covered, covered
from tools.dropped_jaw import drop_jaw, shows_cavity
from tools.occluders import Occluder, Occluders
from tools.training_pairs import LARGEST_DROP, Footage, load_clip, load_stills, shaken
from tools.training_pool import Pool, Supply
from tools.training_run import Course, DeviceStore, follow, write_log

CONFIG = CONFIGS["occlusion"]
BATCH: dict[str, int] = {"cpu": 32, "cuda": 256}
RATE: dict[str, float] = {"cpu": 3e-4, "cuda": 1.5e-3}
POOL, USES = 30000, 5  # units that are kept, and how often each is used at least before another is made
CLIP_STEP = 4  # every so many frames of a clip
FINE = 0.8  # of the things are drawn with half the width of line
OPENED = 0.4  # of the faces open their mouth, each person as often
WIDE = 0.12  # lips that are so far apart are open, inter-ocular distances
JITTER = (0.06, 0.08, 5.0)  # of the crop: shift (inter-ocular distances), scale (natural log), degrees
EMA, LOG_STEPS = 0.998, 100
OUTSIDE = 0.05  # weight of what lies beyond the contour
SHEET = 32  # pictures


class Units:
    """An endless supply of faces and things: see `tools/covered_faces.py`."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._seed = folder, seed

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """One after the other."""
        self._random = np.random.default_rng(self._seed)
        clips = [load_clip(path) for path in sorted((self._folder / "clips").glob("*.mp4"))]
        stills = [s for sub in sorted(self._folder.glob("stills_*")) for s in load_stills(sub)]
        thinned = [Footage(c.name, c.pictures[::CLIP_STEP], c.landmarks_px[::CLIP_STEP]) for c in clips]
        people = [list(zip(f.pictures, f.landmarks_px, strict=True)) for f in (*thinned, *stills)]
        faces = [face for person in people for face in person]
        opened = [wide for person in people if (wide := [face for face in person if _gap(face[1]) > WIDE])]
        occluders = Occluders([f.pictures[0] for f in stills], self._random)
        while True:
            shouts = bool(opened) and self._random.random() < OPENED
            chosen = opened[self._random.integers(len(opened))] if shouts else faces
            picture, points_px = chosen[self._random.integers(len(chosen))]
            if shouts:
                picture, points_px = self._shouting(picture, points_px)
            yield self._unit(picture, points_px, occluders)

    def _shouting(self, picture: NDArray[np.uint8], points_px: lm.Points) -> tuple[NDArray[np.uint8], lm.Points]:
        """An open mouth, wider if it shows no teeth: of what it seldom saw the network would say that it lies in front."""
        if not shows_cavity(picture, points_px):
            return picture, points_px
        most = min(LARGEST_DROP[0], LARGEST_DROP[1] * _gap(points_px))
        return drop_jaw(picture, points_px, float(self._random.uniform(0, most)))

    def _unit(
        self, picture: NDArray[np.uint8], points_px: NDArray[np.float32], occluders: Occluders
    ) -> NDArray[np.uint8]:
        r, size = self._random, CONFIG.size_px
        target = Target(points_px, fit_head(reference_face().mean, points_px))
        shift, scale, turn = JITTER
        shake = np.array([*r.normal(0, shift, 2), r.normal(0, scale), np.radians(r.normal(0, turn))])
        matrix = shaken(crop_matrix(FACE, target, size), shake, target.pose, size)
        seen, points = crop(picture, matrix, size), to_crop(points_px, matrix)
        thing = self._thing(seen, points, occluders)
        face = contour((points + r.normal(0, 0.01 * size, (1, 2))).astype(np.float32), size)
        near = cv2.GaussianBlur(cv2.dilate(contour(points, size), np.ones((7, 7), np.uint8)), (0, 0), 2)
        weight = np.maximum(near, np.uint8(255 * OUTSIDE))
        levels = np.dstack([thing.bgr, 255 * thing.matte]) + 0.5
        return np.dstack([seen, face, weight, np.clip(levels, 0, 255).astype(np.uint8)])

    def _thing(self, seen: NDArray[np.uint8], points: NDArray[np.float32], occluders: Occluders) -> Occluder:
        """Something in front, often drawn finer than the crop shows: rims and hair are thinner than its pixels."""
        if self._random.random() > FINE:
            return occluders.draw(seen, points)
        size = len(seen)
        return occluders.draw(cv2.resize(seen, (2 * size, 2 * size)), 2 * points + np.float32(0.5)).shrunk(size)


def _gap(points_px: lm.Points) -> float:
    return lm.lip_gap(points_px) / lm.inter_ocular(points_px)


def loss_of(matte: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Cross entropy and Dice, weighted."""
    entropy = F.binary_cross_entropy(matte.clamp(1e-4, 1 - 1e-4), truth, weight=weight)
    both = (matte * truth * weight).sum((1, 2, 3))
    all_of = ((matte + truth) * weight).sum((1, 2, 3))
    return entropy + 0.3 * (1 - (2 * both + 20) / (all_of + 20)).mean()


def overlap(matte: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Pixels (2,) of all occluders inside the contours: found and wanted, and found or wanted."""
    inside = weight > 0.5
    found, wanted = (matte > 0.5) & inside, (truth > 0.5) & inside
    return torch.stack([(found & wanted).sum(), (found | wanted).sum()])


@torch.no_grad()
def sheet(network: Renderer, faces: Covered, path: Path) -> None:
    """Picture, matte before, answer, truth."""
    inputs, truth = faces.inputs[:SHEET], faces.truth[:SHEET]
    _, matte = network(inputs)
    grey = [t.expand(-1, 3, -1, -1) for t in (inputs[:, 4:5], 2 * matte - 1, 2 * truth - 1)]
    rows = torch.cat([inputs[:, :3], *grey], 3).permute(0, 2, 3, 1).cpu().numpy()
    picture = np.hstack([np.vstack(list(rows[i : i + 8])) for i in range(0, len(rows), 8)])
    cv2.imwrite(str(path), ((picture + 1) * 127.5).astype(np.uint8))


def run(data: Path, out: Path, minutes: float, workers: int, anew: bool) -> Iterator[dict[str, float]]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    like: Any = {"device": device, "memory_format": torch.channels_last}
    network, average = Renderer(CONFIG).to(**like), Renderer(CONFIG).to(**like)
    if not anew:
        load_into(network, load_weights("occlusion"))
    average.load_state_dict(network.state_dict())
    optimiser = torch.optim.Adam(network.parameters(), RATE[device.type])
    course = Course(out, {"network": network, "average": average, "optimiser": optimiser}, device)
    shape, random = (CONFIG.size_px, CONFIG.size_px, PLANES), np.random.default_rng()
    supply = Supply(shape, BATCH[device.type], POOL, USES)
    pool = Pool(partial(Units, data), supply, workers, DeviceStore(POOL, shape, device))
    losses, pixels = list[Tensor](), list[Tensor]()
    average.eval()

    def answer(inputs: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            return average(inputs)[1].float()

    while course.seconds < 60 * minutes:
        faces, things, others = (pool.batch(random) for _ in range(3))
        seen = covered(faces, things, others, answer)
        share = course.seconds / (60 * minutes)
        for group in optimiser.param_groups:
            group["lr"] = RATE[device.type] * max(0.01, 0.5 + 0.5 * float(np.cos(np.pi * min(share, 1))))
        network.train()
        with torch.autocast(device.type, torch.bfloat16):
            _, matte = network(seen.inputs)
        loss = loss_of(matte.float(), seen.truth, seen.weight)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        course.went_on()
        follow(average, network, min(EMA, course.step / (course.step + 20)))
        losses.append(loss.detach())
        pixels.append(overlap(matte.detach(), seen.truth, seen.weight))
        over = course.seconds >= 60 * minutes
        if course.step % LOG_STEPS == 0 or over:
            course.save()
            sheet(average, seen, out / "sheet.png")
            both, either = torch.stack(pixels).sum(0).tolist()
            means = {"loss": float(torch.stack(losses).mean()), "overlap": both / max(either, 1)}
            yield {"step": course.step, "minutes": course.seconds / 60, "units": pool.made} | means
            losses.clear()
            pixels.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("out/train"))
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--workers", type=int, default=1, help="processes that make crops")
    parser.add_argument("--anew", action="store_true", help="from random weights rather than from the shipped ones")
    asked = parser.parse_args()
    out = asked.out / "occlusion"
    write_log(run(asked.data, out, asked.minutes, asked.workers, asked.anew), out)


if __name__ == "__main__":
    main()

"""Training pairs for the generator: what the warp made of a photograph beside what a camera saw.

Two frames of a clip: one is the photograph, the other the truth. A still: the warp moves it to another expression and pose,
that becomes the photograph, and the still itself is the truth. Both go through `engine.render.portrait`, layers of the mouth
and eyes included, so that the network meets the errors that it has to mend.

A unit is two consecutive pictures of the same puppet, so that flicker can be punished:
(2, size, size, 14) uint8 = the network's ten inputs, the truth's BGR, the weight of each pixel. In crops of twice the size most
units come from large portraits, since the other pictures hold no more than what the small crops show.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.face.performance import HeadMotion, Performance
from engine.face.pose import Pose, euler_from_rotation, fit_head
from engine.face.reference import reference_face
from engine.face.retarget import Target
from engine.render.crops import Part, Place, crop_matrix, to_crop
from engine.render.generator import network_inputs, places_of
from engine.render.photograph import Photograph
from engine.render.portrait import Portrait
from kernels.crop_normalise.cpu import crop
from models.config import CONFIGS
from tools.dropped_jaw import drop_jaw, shows_cavity
from tools.rarer_mouths import AS_IT_IS, Rarity

STILL_SHARE = 0.35  # of all photographs: a warp that is brought back makes no folds and no shadows
TARGETS = 4  # pictures asked of each photograph of a clip, half of them at random
JITTER = (0.05, 0.09, 4.0)  # of the crop, standard deviations: shift (inter-ocular distances), scale (log), degrees
POSE_DEG = (16.0, 10.0, 6.0)  # how far stills are turned away, standard deviations
LARGEST_YAW_DEG = 35.0  # stills turned further show half a face
SHOUT_SHARE = 0.6  # of the truths that show the inside of a mouth: their jaw is dropped further
LARGEST_DROP = (0.35, 1.6)  # inter-ocular distances; of the gap of the lips
DARKER_SHARE, SHADED_SHARE = 0.25, 0.5  # of the photographs, with their truths: see `tools/rarer_mouths.py`
SHOUT_ODDS = 6.0  # of a still that shows the inside of a mouth, beside 1 to 4 of others
SLIP = 0.012  # error of landmarks as retargeting makes it, inter-ocular distances, in one photograph of two
NOISE = 0.003  # the same from one picture to the next
LARGE_SHARE = 0.6  # of the photographs of large crops: large portraits
LARGE_UNIT_PX = 180.0  # inter-ocular distance that larger ones are shrunk to; crops of twice the size hold 160
HELD_OUT = ("2x4_00", "3x6_07", "3x6_13", "3x6_16")  # ends of names of large portraits, kept for evaluation

Picture = NDArray[np.uint8]
Truth = tuple[Picture, lm.Points]


@dataclass(frozen=True, slots=True)
class Footage:
    """Pictures of one person with landmarks."""

    name: str
    pictures: list[Picture]
    landmarks_px: NDArray[np.float32]  # (n, 478, 3)

    def gaps(self) -> NDArray[np.float32]:
        """How far the lips are apart in each picture, inter-ocular distances."""
        return np.array([lm.lip_gap(p) / lm.inter_ocular(p) for p in self.landmarks_px], np.float32)

    def cavities(self) -> NDArray[np.bool_]:
        """Whether the inside of the mouth is seen in each picture."""
        return np.array([shows_cavity(*seen) for seen in zip(self.pictures, self.landmarks_px, strict=True)])

    def lids(self) -> NDArray[np.float32]:
        """How far the lids are open in each picture, in eye widths."""
        return np.array([min(lm.lid_openings(p)) for p in self.landmarks_px], np.float32)


def load_clip(path: Path) -> Footage:
    """`NAME.mp4` with `NAME.landmarks.npz` beside it; frames without a face are left out."""
    table = np.load(path.with_suffix(".landmarks.npz"), allow_pickle=False)
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    count = min(len(frames), len(table["found"]))
    kept = np.flatnonzero(table["found"][:count])
    return Footage(path.stem, [frames[i] for i in kept], table["landmarks_px"][kept].astype(np.float32))


def load_stills(folder: Path) -> list[Footage]:
    """A folder of pictures with `landmarks.npz`. Two pictures of one of the London adults make one piece of footage."""
    table = np.load(folder / "landmarks.npz", allow_pickle=False)
    people: dict[str, list[int]] = {}
    for i, name in enumerate(table["names"]):
        person = str(name).rsplit("_", 1)[0] if "london" in folder.name else str(name)
        people.setdefault(person, []).append(i)
    read = [cv2.imread(str(folder / str(name))) for name in table["names"]]
    points = table["landmarks_px"].astype(np.float32)
    people = {person: of for person, of in people.items() if abs(_yaw_deg(points[of[0]])) < LARGEST_YAW_DEG}
    return [Footage(person, [read[i] for i in of], points[of]) for person, of in people.items()]


def load_large(folder: Path, *, held_out: bool = False) -> list[Footage]:
    """Large portraits of a folder as `load_stills` reads it, at most LARGE_UNIT_PX between the eyes: those to train with, or
    those that are HELD_OUT."""
    named = [still for still in load_stills(folder) if Path(still.name).stem.endswith(HELD_OUT) == held_out]
    return [_shrunk(still, min(1.0, LARGE_UNIT_PX / lm.inter_ocular(still.landmarks_px[0]))) for still in named]


def small_copy(name: str) -> str:
    """How the name of the same picture among the small stills ends: "3x6_07" is number 7 of a sheet of 3 rows of 6 there,
    "3x6_01_01"."""
    sheet, number = name.split("_")
    row, column = divmod(int(number), int(sheet.partition("x")[2]))
    return f"{sheet}_{row:02}_{column:02}"


def training_stills(folder: Path) -> list[Footage]:
    """The stills of a data folder (`stills_*/`) but for small copies of what is HELD_OUT."""
    copies = tuple(small_copy(name) for name in HELD_OUT)
    stills = [still for sub in sorted(folder.glob("stills_*")) for still in load_stills(sub)]
    return [still for still in stills if not Path(still.name).stem.endswith(copies)]


def _shrunk(still: Footage, share: float) -> Footage:
    pictures = [cv2.resize(p, None, fx=share, fy=share, interpolation=cv2.INTER_AREA) for p in still.pictures]
    return Footage(still.name, pictures, still.landmarks_px * np.float32(share))


class Pairs:
    """An endless supply of units of one part, from a data folder (`clips/`, `stills_*/`), in crops of `scale` times the
    network's size; from a folder of large portraits too if there is one, those to train with or those that are held out."""

    def __init__(
        self,
        part: Part,
        folder: Path,
        seed: int,
        *,
        scale: int = 1,
        large: Path | None = None,
        held_out: bool = False,
    ) -> None:
        self._size, self._places = scale * CONFIGS[part].size_px, places_of(part)
        self.large = [] if large is None else load_large(large, held_out=held_out)
        self._large_odds = _odds(np.array([_appeal(still) for still in self.large] or [1.0]))
        self._random = np.random.default_rng(seed)
        self._clips = [load_clip(path) for path in sorted((folder / "clips").glob("*.mp4"))]
        self._stills = training_stills(folder)
        self._couples = [s for s in self._stills if len(s.pictures) > 1]
        self._clip_odds = _odds(np.array([len(c.pictures) for c in self._clips]) ** 0.5)
        self._still_odds = _odds(np.array([_appeal(still) for still in self._stills]))
        self._lips_apart = [_odds(0.02 + c.gaps()) for c in self._clips]
        telling = self._lips_apart if part == "mouth" else [_odds(np.exp(-8 * c.lids())) for c in self._clips]
        self._telling = telling  # odds of each frame of each clip: larger where a mouth is open, where lids are shut

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Units without end."""
        while True:
            yield from self.units()

    def units(self) -> list[NDArray[np.uint8]]:
        """Units from one photograph."""
        if self.large and self._random.random() < LARGE_SHARE:
            return self._from_still(self.large[self._random.choice(len(self.large), p=self._large_odds)])
        draw = self._random.random()
        if draw < STILL_SHARE:
            return self._from_still(self._stills[self._random.choice(len(self._stills), p=self._still_odds)])
        if draw < STILL_SHARE + 0.12 and self._couples:
            return self._from_couple(self._couples[self._random.integers(len(self._couples))])
        return self._from_clip(self._random.choice(len(self._clips), p=self._clip_odds))

    def _from_clip(self, number: int) -> list[NDArray[np.uint8]]:
        clip, lips_apart = self._clips[number], self._lips_apart[number]
        some = self._random.integers(len(clip.pictures), size=4)
        shut = min(some, key=lambda i: lips_apart[i]) if self._random.random() < 0.5 else some[0]
        rarity = self._rarity(clip, shut)
        photograph = rarity.of(clip.pictures[shut], clip.landmarks_px[shut])
        portrait = Portrait(Photograph(photograph, clip.landmarks_px[shut]))
        units: list[NDArray[np.uint8]] = []
        for odds in (self._telling[number], None) * (TARGETS // 2):
            j = min(int(self._random.choice(len(clip.pictures), p=odds)), len(clip.pictures) - 2)
            truths = self._shouting([(clip.pictures[i], clip.landmarks_px[i]) for i in (j, j + 1)])
            units += self._of(portrait, photograph, [(rarity.of(*truth), truth[1]) for truth in truths])
        return units

    def _from_couple(self, couple: Footage) -> list[NDArray[np.uint8]]:
        rarity = self._rarity(couple)
        (before, at), (after, to) = (
            (rarity.of(couple.pictures[i], couple.landmarks_px[i]), couple.landmarks_px[i])
            for i in self._random.permutation(len(couple.pictures))[:2]
        )
        return self._of(Portrait(Photograph(before, at)), before, [(after, to)] * 2)

    def _from_still(self, still: Footage) -> list[NDArray[np.uint8]]:
        return self.units_of(still, self._rarity(still))

    def units_of(self, still: Footage, rarity: Rarity = AS_IT_IS) -> list[NDArray[np.uint8]]:
        """Move the still, changed that way, away, and bring it back."""
        i = self._random.integers(len(still.pictures))
        ((picture, points),) = self._shouting([(still.pictures[i], still.landmarks_px[i])])
        truth = rarity.of(picture, points)
        away, target = Portrait(Photograph(truth, points)).draw(self._performance())
        return self._of(Portrait(Photograph(away, target.landmarks_px)), away, [(truth, points)] * 2)

    def _rarity(self, person: Footage, number: int = 0) -> Rarity:
        """How the pictures of a person are changed, by that one of them."""
        darker, shaded = map(bool, self._random.random(2) < (DARKER_SHARE, SHADED_SHARE))
        seen = person.pictures[number], person.landmarks_px[number]
        return Rarity.drawn(self._random, *seen, darker=darker, shaded=shaded)

    def _shouting(self, truths: list[Truth]) -> list[Truth]:
        """Some of the truths that show the inside of a mouth with the jaw lower than it was."""
        if self._random.random() > SHOUT_SHARE or not all(shows_cavity(*truth) for truth in truths):
            return truths
        gap = min(lm.lip_gap(points) / lm.inter_ocular(points) for _, points in truths)
        drop = float(self._random.uniform(0, min(LARGEST_DROP[0], LARGEST_DROP[1] * gap)))
        return [drop_jaw(picture, points, drop) for picture, points in truths]

    def _performance(self) -> Performance:
        """Head and expression of somebody in a clip, turned further at random; often with the lips together."""
        r = self._random
        clip = self._clips[r.choice(len(self._clips), p=self._clip_odds)]
        u, v = r.integers(len(clip.pictures), size=2)
        mean = reference_face().mean
        shapes = [fit_head(mean, p).invert(p) for p in clip.landmarks_px[[u, v]]]
        offsets = (shapes[0] - shapes[1]) * np.float32(r.uniform(0, 1.2))
        if r.random() < 0.6:
            offsets[lm.LIP_PAIRS.ravel()] *= np.float32(r.uniform(0, 0.4))
        yaw, pitch, roll = r.normal(0, POSE_DEG)
        shift = np.append(r.normal(0, 0.03, 2), 0).astype(np.float32)
        return Performance(HeadMotion((yaw, pitch, roll), shift, float(np.exp(r.normal(0, 0.06)))), offsets)

    def _of(self, portrait: Portrait, photograph: Picture, truths: list[Truth]) -> list[NDArray[np.uint8]]:
        """One unit for each place of the face; both pictures share the crop's error of place and differ in slips."""
        shake = self._shake()
        slip = _slip(self._random, SLIP) * (self._random.random() < 0.5)
        at_rest = Target(portrait.face.landmarks_px, portrait.face.pose)
        steps: dict[Place, list[Picture]] = {place: [] for place in self._places}
        size = self._size
        for truth, points in truths:
            target = Target(points, fit_head(reference_face().mean, points))
            error = (slip + _slip(self._random, NOISE)) * np.float32(target.pose.scale)
            seen = Target(points + error, target.pose)
            warped = portrait.draw_target(seen)
            for place in self._places:
                matrix = shaken(crop_matrix(place, seen, size), shake, target.pose, size)
                reference = crop(photograph, crop_matrix(place, at_rest, size), size)
                (inputs,) = network_inputs(
                    warped, seen, portrait.backward, reference[None], [place], matrix[None], portrait.face.pose.scale
                )
                weight = _weight(place, target, matrix, size)
                steps[place].append(np.dstack([inputs, crop(truth, matrix, size), weight]))
        return [np.stack(pictures) for pictures in steps.values()]

    def _shake(self) -> NDArray[np.float64]:
        shift, scale, turn = JITTER
        r = self._random
        return np.array([*r.normal(0, shift, 2), r.normal(0, scale), np.radians(r.normal(0, turn))])


def shaken(matrix: NDArray[np.float32], shake: NDArray[np.float64], pose: Pose, size: int) -> NDArray[np.float32]:
    """The crop moved, scaled and turned a little about its middle."""
    x, y, log_scale, turn = shake
    c, s = np.cos(turn) * np.exp(log_scale), np.sin(turn) * np.exp(log_scale)
    linear = matrix[:, :2] @ np.array([[c, -s], [s, c]])
    middle = matrix[:, :2] @ np.full(2, (size - 1) / 2) + matrix[:, 2]
    corner = middle + np.array([x, y]) * pose.scale - linear @ np.full(2, (size - 1) / 2)
    return np.column_stack([linear, corner]).astype(np.float32)


def _weight(place: Place, target: Target, matrix: NDArray[np.float32], size: int) -> NDArray[np.uint8]:
    """(size, size): 255 on the lips or the eye, falling off around them."""
    points = to_crop(target.landmarks_px, matrix)
    weight = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(weight, cv2.convexHull(np.round(points[place.anchor]).astype(np.int32)), 255)
    return cv2.GaussianBlur(weight, (0, 0), 0.04 * size)


def _slip(random: np.random.Generator, size: float) -> NDArray[np.float32]:
    """(478, 3): a smooth error of the lips' and lids' places, of standard deviation `size`; canonical frame."""
    error = np.zeros((lm.COUNT, 3), np.float32)
    mean = reference_face().mean
    for contour in (lm.LIPS_OUTER, lm.LIPS_INNER, lm.EYE_LEFT, lm.EYE_RIGHT):
        centred = mean[contour, :2] - mean[contour, :2].mean(0)
        error[contour, :2] = random.normal(0, size, 2) + centred * random.normal(0, 2 * size, 2)
    return error


def _yaw_deg(landmarks_px: lm.Points) -> float:
    return euler_from_rotation(fit_head(reference_face().mean, landmarks_px).rotation)[0]


def _appeal(still: Footage) -> float:
    """How often a still is taken: more the further its mouth is open, and more yet where it shows its inside."""
    return float(1 + 3 * np.clip(still.gaps().max() / 0.1, 0, 1) + SHOUT_ODDS * still.cavities().any())


def _odds(weights: NDArray[Any]) -> NDArray[np.float64]:
    exact = weights.astype(np.float64)
    return exact / exact.sum()

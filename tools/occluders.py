"""Things in front of a face, drawn at random: hands, hair, rims of glasses, cups, microphones, cards, cloth.

Each is drawn into a crop of a face as `engine.render.crops.FACE` cuts it, with its matte: what `tools.train_occlusion`
teaches and what the benchmark of the modes pastes over clips. Textures are pieces of other people's pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm

FINGER_BONES: Final = (0.42, 0.28, 0.2)  # lengths, palms
HAIR_BGR: Final = np.array([[20, 22, 28], [25, 40, 70], [60, 95, 140], [120, 165, 200], [150, 150, 150]], np.float32)
RIMS_BGR: Final = np.array([[15, 15, 18], [40, 35, 90], [90, 110, 130], [190, 190, 195], [20, 45, 90]], np.float32)
KINDS: Final = {
    "hand": 0.34,
    "hair": 0.14,
    "glasses": 0.14,
    "cup": 0.14,
    "microphone": 0.1,
    "cloth": 0.14,
}  # and their odds
SHADOW: Final = 0.35  # how much darker the face is at most, beside what lies on it


@dataclass(frozen=True, slots=True)
class Occluder:
    """Something in front of a face, in pixels of the crop."""

    bgr: NDArray[np.float32]  # (size, size, 3) in [0, 255]
    matte: NDArray[np.float32]  # (size, size) in [0, 1]

    def shrunk(self, size: int) -> Occluder:
        """Seen by a crop of fewer pixels."""
        bgr, matte = (cv2.resize(v, (size, size), interpolation=cv2.INTER_AREA) for v in (self.bgr, self.matte))
        return Occluder(np.asarray(bgr, np.float32), np.asarray(matte, np.float32))

    def over(self, crop: NDArray[np.uint8], shadow: float) -> NDArray[np.uint8]:
        """The crop with it in front, and its shadow of that strength (0 to 1) on what lies beside it."""
        size = len(crop)
        shade = cv2.GaussianBlur(np.roll(self.matte, (size // 40, size // 60), (0, 1)), (0, 0), size / 30)
        lit = crop * (1 - np.float32(SHADOW * shadow) * shade)[..., None]
        mixed = lit + (self.bgr - lit) * self.matte[..., None]
        return np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


class Occluders:
    """Draws them. `textures` are pictures (height, width, 3) of which pieces are used."""

    def __init__(self, textures: Sequence[NDArray[np.uint8]], random: np.random.Generator) -> None:
        self._textures, self._random = textures, random
        self._kinds: dict[str, Callable[[NDArray[np.uint8], lm.Points], Occluder]] = {
            "hand": self._hand, "hair": self._hair, "glasses": self._glasses, "cup": self._cup,
            "microphone": self._microphone, "cloth": self._cloth,
        }  # fmt: skip

    def draw(self, crop: NDArray[np.uint8], points_px: lm.Points, kind: str | None = None) -> Occluder:
        """One in front of the face at `points_px` (478, 2 or 3) of a crop (size, size, 3)."""
        if kind is None:
            kind = str(self._random.choice(list(KINDS), p=list(KINDS.values())))
        return self._kinds[kind](crop, points_px)

    def _hand(self, crop: NDArray[np.uint8], points_px: lm.Points) -> Occluder:
        """A forearm, a palm and five fingers, shaded as rounded things are, in skin like the face's or somebody's."""
        r, size = self._random, len(crop)
        unit = lm.inter_ocular(points_px)
        palm = unit * r.uniform(0.55, 0.95)
        aim = points_px[r.choice(lm.OVAL if r.random() < 0.5 else lm.LIPS_OUTER), :2] + r.normal(0, 0.25 * unit, 2)
        angle = r.uniform(0, 2 * np.pi) if r.random() < 0.3 else r.normal(-np.pi / 2, 0.7)
        ahead, aside = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        wrist = aim - ahead * palm * r.uniform(0.6, 1.6)
        side = r.choice([-1, 1])
        limbs = [(wrist - ahead * 3 * palm, wrist, 0.36 * palm)]
        limbs += [
            (wrist + 0.1 * palm * ahead, wrist + ahead * 0.85 * palm + aside * x * palm, 0.2 * palm)
            for x in (-0.25, 0, 0.25)
        ]
        for x in (-0.33, -0.11, 0.11, 0.31):
            point, turn = wrist + ahead * palm * (0.98 - 0.6 * x * x) + aside * x * palm, side * x * r.uniform(0.1, 0.9)
            shown, radius = r.uniform(0.35, 1.0), 0.1 * palm
            for bone in FINGER_BONES:
                direction = np.cos(turn) * ahead + np.sin(turn) * aside * side
                after = point + direction * bone * palm * shown
                limbs.append((point, after, radius))
                point, turn, radius = after, turn + r.normal(0, 0.15), radius * 0.93
        thumb = wrist + ahead * 0.35 * palm + aside * side * 0.35 * palm
        bend = side * r.uniform(0.3, 1.2)
        middle = thumb + (np.cos(bend) * ahead + np.sin(bend) * aside) * 0.4 * palm
        limbs += [
            (thumb, middle, 0.13 * palm),
            (middle, middle + (np.cos(bend / 2) * ahead + np.sin(bend / 2) * aside) * 0.32 * palm, 0.11 * palm),
        ]
        height, matte = self._capsules(limbs, size)
        light = r.normal(0, 1, 2)
        dy, dx = np.gradient(cv2.GaussianBlur(height, (0, 0), 0.02 * size))
        shade = 0.82 + 0.22 * np.tanh(light[0] * dx + light[1] * dy) + 0.12 * (height / max(height.max(), 1e-3))
        skin = self._skin(crop, points_px) * r.uniform(0.75, 1.15)
        noise = cv2.GaussianBlur(r.normal(0, 1, (size, size)).astype(np.float32), (0, 0), r.uniform(0.6, 4))
        texture = 1 + 0.04 * noise / max(float(noise.std()), 1e-6)
        return Occluder((skin * (shade * texture)[..., None]).astype(np.float32), self._soft(matte))

    def _skin(self, crop: NDArray[np.uint8], points_px: lm.Points) -> NDArray[np.float32]:
        """Colour (3,) of the face's cheeks, or of any skin."""
        if self._random.random() < 0.7:
            spots = np.clip(points_px[[50, 280, 205, 425], :2].round().astype(int), 0, len(crop) - 1)
            return np.median(crop[spots[:, 1], spots[:, 0]].astype(np.float32), axis=0)
        tone = self._random.uniform(0.25, 1.0)
        return np.float32(tone) * np.array([150, 175, 225], np.float32) + self._random.normal(0, 8, 3).astype(
            np.float32
        )

    @staticmethod
    def _capsules(
        limbs: list[tuple[NDArray[np.float64], NDArray[np.float64], float]], size: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Height above the crop and cover of rounded limbs (from, to, radius px)."""
        height, cover = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
        for begin, end, radius in limbs:
            low = np.clip(np.minimum(begin, end) - radius - 1, 0, size).astype(int)
            high = np.clip(np.maximum(begin, end) + radius + 2, 0, size).astype(int)
            part = (slice(low[1], high[1]), slice(low[0], high[0]))
            y, x = (axis.astype(np.float32) for axis in np.ogrid[part])
            along = end - begin
            share = ((x - begin[0]) * along[0] + (y - begin[1]) * along[1]) / max(float(along @ along), 1e-6)
            share = np.clip(share, 0, 1)
            away = np.hypot(x - begin[0] - share * along[0], y - begin[1] - share * along[1])
            height[part] = np.maximum(height[part], np.sqrt(np.maximum(radius**2 - away**2, 0)))
            cover[part] = np.maximum(cover[part], np.clip(radius - away + 0.5, 0, 1))
        return height.astype(np.float32), cover.astype(np.float32)

    def _hair(self, crop: NDArray[np.uint8], points_px: lm.Points) -> Occluder:
        """Strands that fall from above or from a side."""
        r, size, unit = self._random, len(crop), lm.inter_ocular(points_px)
        colour = HAIR_BGR[r.integers(len(HAIR_BGR))] * r.uniform(0.6, 1.3)
        root = points_px[r.choice([10, 109, 338, 67, 297, 103, 332, 54, 284, 21, 251]), :2] + r.normal(0, 0.1 * unit, 2)
        bgr, matte = np.full((size, size, 3), colour, np.float32), np.zeros((size, size), np.uint8)
        fall, spread = r.normal((0, 1.0), (0.45, 0.3)) * unit, r.uniform(0.04, 0.3) * unit
        bend = r.normal(0, 0.35) * unit
        for _ in range(int(r.integers(8, 60))):
            begin, t = root + r.normal(0, spread, 2), np.linspace(0, 1, 12)
            curl = bend * np.sin(np.pi * t) + r.normal(0, 0.05 * unit)
            line = begin + np.outer(t * r.uniform(0.5, 1.1), fall) + np.outer(curl, [1, 0])
            fixed, thick = (line * 16).astype(np.int32), int(r.integers(1, 3))
            cv2.polylines(matte, [fixed.reshape(-1, 1, 2)], False, 255, thick, cv2.LINE_AA, 4)
            shade = colour * r.uniform(0.6, 1.5)
            cv2.polylines(bgr, [fixed.reshape(-1, 1, 2)], False, shade.tolist(), thick, cv2.LINE_AA, 4)
        return Occluder(np.clip(bgr, 0, 255), matte.astype(np.float32) / 255)

    def _glasses(self, crop: NDArray[np.uint8], points_px: lm.Points) -> Occluder:
        """Rims, bridge and temples; what is seen through the glass is the face."""
        r, size = self._random, len(crop)
        matte, thick = np.zeros((size, size), np.uint8), int(r.integers(1, 5))
        round_ness, grow = r.uniform(2, 5), r.uniform(1.25, 1.8)
        middles = []
        for outer, inner, lower in ((33, 133, 145), (263, 362, 374)):
            across = (points_px[inner, :2] - points_px[outer, :2]) * grow
            middle = points_px[[outer, inner, lower], :2].mean(0) + 0.1 * np.array([0, np.linalg.norm(across)])
            down = np.array([-across[1], across[0]]) * r.uniform(0.6, 0.9)
            t = np.linspace(0, 2 * np.pi, 48)
            c, s = np.cos(t), np.sin(t)
            ring = (
                middle
                + 0.5 * np.outer(np.sign(c) * np.abs(c) ** (2 / round_ness), across)
                + 0.5 * np.outer(np.sign(s) * np.abs(s) ** (2 / round_ness), down)
            )
            cv2.polylines(matte, [(ring * 16).astype(np.int32).reshape(-1, 1, 2)], True, 255, thick, cv2.LINE_AA, 4)
            middles.append((middle, across))
        (left, left_across), (right, right_across) = middles
        temple_left, temple_right = points_px[127, :2], points_px[356, :2]
        for a, b in (
            (left + left_across / 2, right + right_across / 2),
            (left - left_across / 2, temple_left),
            (right - right_across / 2, temple_right),
        ):
            cv2.line(
                matte,
                tuple((a * 16).astype(int).tolist()),
                tuple((b * 16).astype(int).tolist()),
                255,
                thick,
                cv2.LINE_AA,
                4,
            )
        shine = 1 + 0.25 * cv2.GaussianBlur(r.normal(0, 1, (size, size)).astype(np.float32), (0, 0), 3) * 6
        colour = RIMS_BGR[r.integers(len(RIMS_BGR))] * r.uniform(0.7, 1.2)
        return Occluder(
            np.clip(colour * shine[..., None], 0, 255).astype(np.float32), self._soft(matte.astype(np.float32) / 255)
        )

    def _cup(self, crop: NDArray[np.uint8], points_px: lm.Points) -> Occluder:
        """A cup, a card, a telephone: rounded boxes with a texture, often from below."""
        r, size, unit = self._random, len(crop), lm.inter_ocular(points_px)
        wide, tall = r.uniform(0.4, 1.3, 2) * unit
        middle = points_px[r.choice(lm.LIPS_OUTER), :2] + r.normal(0, 0.5 * unit, 2) + (0, 0.35 * tall)
        turn, square = r.normal(0, 0.35), r.uniform(2.5, 12)
        y, x = np.mgrid[0:size, 0:size].astype(np.float32)
        u = ((x - middle[0]) * np.cos(turn) + (y - middle[1]) * np.sin(turn)) / (wide / 2)
        v = (-(x - middle[0]) * np.sin(turn) + (y - middle[1]) * np.cos(turn)) / (tall / 2)
        away = (np.abs(u) ** square + np.abs(v) ** square) ** (1 / square)
        matte = np.clip((1 - away) * min(wide, tall) / 2 + 0.5, 0, 1).astype(np.float32)
        round_shade = 1 - r.uniform(0, 0.5) * np.clip(u + r.uniform(-0.5, 0.5), -1, 1) ** 2
        return Occluder((self._texture(size) * round_shade[..., None]).astype(np.float32), self._soft(matte))

    def _microphone(self, crop: NDArray[np.uint8], points_px: lm.Points) -> Occluder:
        """A head with a grid on a stick, before mouth or chin."""
        r, size, unit = self._random, len(crop), lm.inter_ocular(points_px)
        head = points_px[r.choice([13, 14, 17, 152, 61, 291]), :2] + r.normal(0, 0.2 * unit, 2)
        radius, angle = r.uniform(0.12, 0.35) * unit, r.normal(np.pi / 2, 0.6)
        tail = head + np.array([np.cos(angle), np.sin(angle)]) * 4 * unit
        height, matte = self._capsules([(head, head, radius), (head, tail, radius * r.uniform(0.25, 0.7))], size)
        y, x = np.mgrid[0:size, 0:size]
        period = r.uniform(2, 5)
        grid = 0.8 + 0.2 * np.sin(2 * np.pi * x / period) * np.sin(2 * np.pi * y / period)
        colour = r.uniform(15, 120) + r.normal(0, 6, 3)
        shade = grid * (0.6 + 0.7 * height / max(float(height.max()), 1e-3))
        return Occluder(np.clip(colour * shade[..., None], 0, 255).astype(np.float32), self._soft(matte))

    def _cloth(self, crop: NDArray[np.uint8], points_px: lm.Points) -> Occluder:
        """A shapeless thing: a scarf, a sleeve, a leaf, somebody passing."""
        r, size = self._random, len(crop)
        noise = cv2.GaussianBlur(r.normal(0, 1, (size, size)).astype(np.float32), (0, 0), r.uniform(0.05, 0.2) * size)
        middle = points_px[r.choice(lm.OVAL), :2]
        y, x = np.mgrid[0:size, 0:size].astype(np.float32)
        away = np.hypot(x - middle[0], y - middle[1]) / (r.uniform(0.15, 0.5) * size)
        field = noise / max(float(noise.std()), 1e-6) * 0.35 + 1 - away
        steep = max(float(np.abs(np.gradient(field)[0]).mean()), 1e-3)
        return Occluder(self._texture(size), self._soft(np.clip(field / steep / 2 + 0.5, 0, 1).astype(np.float32)))

    def _texture(self, size: int) -> NDArray[np.float32]:
        """A piece of somebody's picture, or one colour with noise."""
        r = self._random
        if r.random() < 0.3:
            return (r.uniform(0, 255, 3) + r.normal(0, r.uniform(1, 10), (size, size, 1))).astype(np.float32)
        picture = self._textures[r.integers(len(self._textures))]
        side = int(r.uniform(0.2, 0.6) * min(picture.shape[:2]))
        top, left = r.integers(picture.shape[0] - side), r.integers(picture.shape[1] - side)
        piece = cv2.resize(picture[top : top + side, left : left + side], (size, size)).astype(np.float32)
        return np.clip(np.rot90(piece, r.integers(4)) * r.uniform(0.6, 1.3), 0, 255).astype(np.float32)

    def _soft(self, matte: NDArray[np.float32]) -> NDArray[np.float32]:
        """With an edge as a lens gives it."""
        return np.asarray(cv2.GaussianBlur(matte, (0, 0), self._random.uniform(0.3, 1.2)), np.float32)

"""Mouths that the training data have too few of: under darker skin, and dark inside where lips are round.

Nearly all of the wide mouths that are there belong to light faces in bright rooms. A network that has seen no others draws
teeth under dark skin in colours that no teeth have, and fills every "oh" with a pale tongue. Both are made here from what
there is: skin loses light by the channel, as melanin takes it, and what the inner lips surround keeps most of its own; a
round mouth, whose lips cover the teeth and let little light in, loses it inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm
from tools.dropped_jaw import CHEEKS

DARKEST = 45.0  # green of the darkest cheeks that are made, 0 to 255
BLUE, RED = (1.0, 1.4), (0.7, 1.0)  # what skin loses in other channels, of the logarithm of what it loses in green
INSIDE = 0.35  # the same of mouth and eyes: a face that is darker as a whole, as far as a mouth can tell
# an "oh": how wide lips are at most, inter-ocular distances, and how far apart, of that. Others are shouts, with teeth and
# tongue in the light. What lies between is shaded in part, so that no truth flickers.
ROUND_WIDTH, TOO_WIDE = 0.50, 0.55
TOO_NARROW, ROUND_GAP, TOO_TALL = 0.32, (0.38, 0.72), 0.80
SHADE = (0.15, 0.6)  # what is left of the light in there, in green
WARMTH = (1.3, 1.0, 0.7)  # its logarithm in BGR, of that: light that comes out again has been between red walls
EDGE = 0.012  # softness of the rim between both, inter-ocular distances


@dataclass(frozen=True, slots=True)
class Rarity:
    """How all pictures of a person are changed."""

    skin: NDArray[np.float32]  # (3,) factors on BGR, outside of mouth and eyes
    inside: float  # factor on mouth and eyes
    shade: NDArray[np.float32]  # (3,) factors on the inside of a round mouth, beside that

    @staticmethod
    def drawn(
        random: np.random.Generator, picture: NDArray[np.uint8], points_px: lm.Points, *, darker: bool, shaded: bool
    ) -> Rarity:
        """One at random, of either or both kinds, for a person whose picture (h, w, 3) with landmarks (478, 3) this is."""
        green = np.median([picture[_pixel(picture, points_px[k])][1] for k in CHEEKS])
        loss = float(random.uniform(0, np.log(max(green / DARKEST, 1.0)))) if darker else 0.0
        skin = np.exp(-loss * np.array([random.uniform(*BLUE), 1.0, random.uniform(*RED)]))
        shade = random.uniform(*SHADE) ** np.array(WARMTH) if shaded else np.ones(3)
        return Rarity(skin.astype(np.float32), float(np.exp(-INSIDE * loss)), shade.astype(np.float32))

    def of(self, picture: NDArray[np.uint8], points_px: lm.Points) -> NDArray[np.uint8]:
        """The picture (h, w, 3) of that person with landmarks (478, 3), changed."""
        mouth, eyes = _filled(picture, points_px, lm.LIPS_INNER), _filled(picture, points_px, lm.EYE_LEFT, lm.EYE_RIGHT)
        cavity = np.float32(self.inside) * (1 + np.float32(roundness(points_px)) * (self.shade - 1))
        factor = self.skin + mouth * (cavity - self.skin) + eyes * (self.inside - self.skin)
        return np.round(picture * factor).astype(np.uint8)


AS_IT_IS = Rarity(np.ones(3, np.float32), 1.0, np.ones(3, np.float32))


def roundness(points_px: lm.Points) -> float:
    """How far lips are rounded and apart as in "oh", 0 to 1."""
    width = max(lm.distance(points_px, 78, 308), 1e-3)
    wide, apart = width / lm.inter_ocular(points_px), lm.lip_gap(points_px) / width
    narrow = np.interp(wide, (ROUND_WIDTH, TOO_WIDE), (1.0, 0.0))
    return float(narrow * np.interp(apart, (TOO_NARROW, *ROUND_GAP, TOO_TALL), (0.0, 1.0, 1.0, 0.0)))


def _pixel(picture: NDArray[np.uint8], point_px: NDArray[np.float32]) -> tuple[int, int]:
    """Row and column of a point, or of the nearest one in the picture."""
    column, row = np.clip(np.round(point_px[:2]), 0, np.array(picture.shape[1::-1]) - 1).astype(int)
    return int(row), int(column)


def _filled(picture: NDArray[np.uint8], points_px: lm.Points, *contours: lm.Indices) -> NDArray[np.float32]:
    """(h, w, 1): 1 within the contours, 0 outside, with a soft edge."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    for contour in contours:
        cv2.fillPoly(mask, [np.round(points_px[contour, :2]).astype(np.int32)], 255)
    soft = cv2.GaussianBlur(mask, (0, 0), EDGE * lm.inter_ocular(points_px))
    return soft[..., None] / np.float32(255)

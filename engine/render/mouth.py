"""The inside of the mouth: a hole in the face mesh with teeth, tongue and a dark cavity behind it.

Upper teeth move with the skull, lower teeth and tongue with the jaw, as in Thies et al., "Real-time Expression Transfer
for Facial Reenactment", 2015, section 7. The layers are shipped (rendered from ICT-FaceKit by
`tools/build_mouth_interior.py`) and matched to the portrait's light; a portrait that shows its own teeth keeps them.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.face.reference import reference_face
from engine.face.retarget import PuppetFace, Target
from engine.render.patch import Patch, Region, draw_quad, lowered, polygon_matte, softened
from engine.shipped import shipped_table

CAVITY_BGR = np.array([16, 12, 30], np.float32)
LIT_SKIN = np.array([140, 158, 190], np.float32)  # BGR of skin in whose light the shipped layers are painted
LUMA = np.array([0.114, 0.587, 0.299], np.float32)
LIGHT_LIMITS = (0.35, 1.1)
LOWER_LIGHT = 0.72  # lower teeth lie in the shade of the upper ones
JAW_SHARE = 0.85  # lower teeth travel less than the chin: they are nearer to the hinge
OWN_TEETH_GAP = 0.06  # a portrait with lips further apart than this shows teeth of its own
SMALLEST_GAP_PX = 1.0
UPPER_DROP, LOWER_DROP = 0.025, 0.075  # how far teeth sit below where a relaxed, closed mouth meets; shown by smiles


class _Bank(NamedTuple):
    rectangle: NDArray[np.float32]  # x0, y0, x1, y1, reference face's canonical frame
    upper: NDArray[np.uint8]  # RGBA
    lower: NDArray[np.uint8]
    upper_z: float
    lower_z: float


@cache
def _bank() -> _Bank:
    table = shipped_table("mouth.npz")
    return _Bank(table["rectangle"], table["upper"], table["lower"], float(table["upper_z"]), float(table["lower_z"]))


def _corners(rectangle: NDArray[np.float32], z: float) -> lm.Points:
    x0, y0, x1, y1 = rectangle
    return np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]], np.float32)


def _middle(shape: lm.Points) -> lm.Points:
    """Where the closed lips meet: between the mouth's corners across, between the inner lips up and down."""
    lips: lm.Points = shape[lm.LIP_PAIRS.ravel()].mean(0)
    return lips


class Mouth:
    """Interior of one photograph's mouth."""

    def __init__(self, picture: NDArray[np.uint8], face: PuppetFace) -> None:
        """`picture` (height, width, 3) BGR is the photograph that `face` was measured on."""
        self._neutral = face.neutral
        mean = reference_face().mean
        ratio = lm.distance(face.neutral, *lm.MOUTH_CORNERS) / lm.distance(mean, *lm.MOUTH_CORNERS)
        bank = _bank()
        self._upper_corners, self._lower_corners = (
            ((_corners(bank.rectangle, z) + (0, drop, 0) - _middle(mean)) * ratio + _middle(face.neutral)).astype(
                np.float32
            )
            for z, drop in ((bank.upper_z, UPPER_DROP), (bank.lower_z, LOWER_DROP))
        )
        light = _light(picture, face.landmarks_px)
        self._upper, self._lower = _exposed(bank.upper, 0.92 * light), _exposed(bank.lower, LOWER_LIGHT * light)
        self._cavity = CAVITY_BGR * light
        self._own = _own_teeth(picture, face, float(self._upper_corners[0, 2]))

    def patch(self, target: Target, width_px: int, height_px: int) -> Patch | None:
        """What shows of it inside the inner lips of `target`, on a picture of that size; None where they are closed."""
        lips = target.landmarks_px[lm.LIPS_INNER]
        if lm.lip_gap(target.landmarks_px[:, :2]) < SMALLEST_GAP_PX:
            return None
        region = Region.around(lips, 4, width_px, height_px)
        if region is None:
            return None
        jaw = self._jaw_shift(target)
        quads = [(self._lower, self._lower_corners + jaw), (self._upper, self._upper_corners)]
        if self._own is not None:
            quads.append(self._own)
        matte = polygon_matte(lips, region, 0.012 * target.pose.scale)
        light = _lip_shadow(matte, target.pose.scale)
        inside = np.empty((region.height, region.width, 3), np.float32)
        inside[:] = self._cavity
        for texture, corners in quads:
            _lay_over(inside, *draw_quad(texture, target.pose.apply(corners), region))
        return Patch(_lit(inside, light), (matte * 255 + 0.5).astype(np.uint8), region.left, region.top)

    def _jaw_shift(self, target: Target) -> lm.Points:
        chin = target.pose.invert(target.landmarks_px[lm.CHIN]) - self._neutral[lm.CHIN]
        shift: lm.Points = JAW_SHARE * chin.mean(0)
        return shift.astype(np.float32)


@numba.njit(cache=True, nogil=True)
def _lay_over(below: NDArray[np.float32], layer: NDArray[np.uint8], depth: NDArray[np.float32]) -> None:
    """An RGBA layer (height, width, 4) over BGR (height, width, 3) in [0, 255], in place, where its depth is finite."""
    share = np.float32(1 / 255)
    for y in range(below.shape[0]):
        for x in range(below.shape[1]):
            if depth[y, x] == np.inf:
                continue
            alpha = np.float32(layer[y, x, 3]) * share
            for c in range(3):
                below[y, x, c] += (np.float32(layer[y, x, c]) - below[y, x, c]) * alpha


@numba.njit(cache=True, nogil=True)
def _lit(colours: NDArray[np.float32], light: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colours (height, width, 3) in [0, 255] in a light (height, width)."""
    result = np.empty(colours.shape, np.uint8)
    for y in range(colours.shape[0]):
        for x in range(colours.shape[1]):
            for c in range(3):
                value = colours[y, x, c] * light[y, x] + np.float32(0.5)
                result[y, x, c] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))
    return result


def _lip_shadow(matte: NDArray[np.float32], unit_px: float) -> NDArray[np.float32]:
    """What the lips let in of the light: least under the upper lip and in the corners."""
    shaded = lowered(matte, max(1, round(0.025 * unit_px))) * matte
    return np.float32(0.35) + np.float32(0.65) * softened(shaded, 0.035 * unit_px)


def _light(picture: NDArray[np.uint8], landmarks_px: lm.Points) -> NDArray[np.float32]:
    """Light on the face, BGR, relative to that in which the shipped layers were painted: its strength from the luma of
    cheeks and upper lip, its colour from theirs, by half, since skin has a colour of its own."""
    spots = landmarks_px[[50, 280, 205, 425, 164, 187, 411], :2].round().astype(int)
    height, width = picture.shape[:2]
    colours = picture[np.clip(spots[:, 1], 0, height - 1), np.clip(spots[:, 0], 0, width - 1)].astype(np.float32)
    skin = np.median(colours, axis=0) + 1
    strength = np.clip(skin @ LUMA / (LIT_SKIN @ LUMA), *LIGHT_LIMITS)
    cast = (skin / (skin @ LUMA)) / (LIT_SKIN / (LIT_SKIN @ LUMA))
    return (strength * np.clip(cast, 0.6, 1.5) ** 0.5).astype(np.float32)


def _exposed(layer: NDArray[np.uint8], light: NDArray[np.float32]) -> NDArray[np.uint8]:
    """An RGBA layer in that light (3,), BGR."""
    result = layer.copy()
    result[..., :3] = np.clip(layer[..., :3] * light, 0, 255).astype(np.uint8)
    return result


def _own_teeth(picture: NDArray[np.uint8], face: PuppetFace, z: float) -> tuple[NDArray[np.uint8], lm.Points] | None:
    """What the portrait shows between its lips: RGBA and its canonical corners (4, 3); None where they are closed."""
    lips = face.landmarks_px[lm.LIPS_INNER]
    if lm.lip_gap(face.shape) < OWN_TEETH_GAP:
        return None
    region = Region.around(lips, 2, picture.shape[1], picture.shape[0])
    if region is None:
        return None
    matte = polygon_matte(lips, region, 0.0)
    soft = max(1.0, 0.012 * face.pose.scale)
    matte = cv2.GaussianBlur(cv2.erode(matte, np.ones((3, 3)), iterations=max(1, round(1.5 * soft))), (0, 0), soft)
    texture = np.dstack([region.of(picture), (matte * 255).astype(np.uint8)])
    x, y = region.left, region.top
    px = np.array([[x, y], [x + region.width, y], [x + region.width, y + region.height], [x, y + region.height]])
    corners = face.pose.invert(np.concatenate([px, np.full((4, 1), lips[:, 2].mean())], axis=1).astype(np.float32))
    corners[:, 2] = z
    return texture, corners

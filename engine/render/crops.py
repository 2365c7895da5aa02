"""Crops of mouth, eyes and face in which networks work: where they lie, and what is drawn into them."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.face.retarget import Target
from engine.render.drawing import disc, fill, line

Part = Literal["mouth", "eye", "occlusion"]
CHIN_LINE = lm.OVAL[10:27]
NOSE_LINE = np.array([98, 97, 2, 326, 327], np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where one crop lies on a face. All crops of a part look alike: the right eye is mirrored."""

    part: Part
    anchor: lm.Indices  # landmarks whose mean is the crop's middle
    below: float  # how far under that the middle lies, inter-ocular distances
    span: float  # side of the crop, inter-ocular distances
    mirrored: bool = False


MOUTH = Place("mouth", lm.LIPS_OUTER, 0.07, 1.2)
EYE_LEFT = Place("eye", lm.EYE_LEFT, -0.06, 0.8)
EYE_RIGHT = Place("eye", lm.EYE_RIGHT, -0.06, 0.8, mirrored=True)
PLACES = (MOUTH, EYE_LEFT, EYE_RIGHT)  # of the generator
FACE = Place("occlusion", lm.OVAL, 0.0, 2.6)


def crop_matrix(place: Place, target: Target, size_px: int) -> NDArray[np.float32]:
    """(2, 3) affine map from pixels of the crop to pixels of the picture; the crop is upright on the face."""
    along, across = (float(v) for v in target.pose.rotation[:2, 0])
    step = place.span * target.pose.scale / (size_px * hypot(along, across))
    down_x, down_y = -across * step, along * step
    right_x, right_y = (-along * step, -across * step) if place.mirrored else (along * step, across * step)
    x, y = target.landmarks_px[place.anchor, :2].mean(0).tolist()
    below, half = place.below / place.span * size_px, (size_px - 1) / 2
    left, top = x + down_x * below - (right_x + down_x) * half, y + down_y * below - (right_y + down_y) * half
    return np.array([[right_x, down_x, left], [right_y, down_y, top]], np.float32)


def crop_matrices(places: list[Place], target: Target, size_px: int) -> NDArray[np.float32]:
    """(n, 2, 3) of several places."""
    return np.stack([crop_matrix(place, target, size_px) for place in places])


def draw_geometries(
    places: list[Place], target: Target, matrices: NDArray[np.float32], size_px: int
) -> NDArray[np.uint8]:
    """(n, size, size, 3) of several places."""
    return np.stack([draw_geometry(p, target, m, size_px) for p, m in zip(places, matrices, strict=True)])


def to_crop(points_px: NDArray[np.float32], matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Points (n, 2 or 3) of the picture in pixels of the crop (n, 2)."""
    inverse = cv2.invertAffineTransform(matrix.astype(np.float64))  # LAPACK wakes threads for four numbers
    return (points_px[:, :2] @ inverse[:, :2].T + inverse[:, 2]).astype(np.float32)


def draw_geometry(place: Place, target: Target, matrix: NDArray[np.float32], size_px: int) -> NDArray[np.uint8]:
    """(size, size, 3): where the target's parts lie, for a place of the generator. Mouth: inner lips, outer lips, lines of chin
    and nose; eye: opening of the lids, iris, line of the brow."""
    right = place.mirrored
    drawing = [np.zeros((size_px, size_px), np.uint8) for _ in range(3)]

    def points(which: lm.Indices) -> NDArray[np.float32]:
        return to_crop(target.landmarks_px[which], matrix)

    if place.part == "mouth":
        fill(drawing[0], points(lm.LIPS_INNER))
        fill(drawing[1], points(lm.LIPS_OUTER))
        line(drawing[2], points(CHIN_LINE))
        line(drawing[2], points(NOSE_LINE))
    else:
        iris = points(lm.IRIS_RIGHT if right else lm.IRIS_LEFT)
        radius = float(np.linalg.norm(iris[1:] - iris[0], axis=1).mean())
        fill(drawing[0], points(lm.EYE_RIGHT if right else lm.EYE_LEFT))
        disc(drawing[1], iris[0], radius)
        line(drawing[2], points((lm.BROW_RIGHT if right else lm.BROW_LEFT)[:5]))
    return cv2.merge(drawing)

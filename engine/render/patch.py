"""Small pieces of picture laid over the warped face: a textured quadrilateral, a soft polygon."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.render.drawing import fill
from kernels.composite.cpu import composite
from kernels.sample.cpu import sample
from kernels.warp_mesh.cpu import warp_mesh

QUAD = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
LEAST_SIGMA_PX = 2.5  # of a Gaussian that stands for a wider one
LEAST_STEP = 3  # times as few pixels each way: with less there is nothing to gain


@dataclass(frozen=True, slots=True)
class Region:
    """Rectangle of a picture, px."""

    left: int
    top: int
    width: int
    height: int

    @staticmethod
    def around(points_px: NDArray[np.float32], margin_px: float, width_px: int, height_px: int) -> Region | None:
        """The points' bounding box with a margin, cut to a picture of the given size; None where nothing is left."""
        low = np.maximum(np.floor(points_px[:, :2].min(0) - margin_px), 0).astype(int)
        high = np.minimum(np.ceil(points_px[:, :2].max(0) + margin_px) + 1, (width_px, height_px)).astype(int)
        if high[0] - low[0] < 2 or high[1] - low[1] < 2:
            return None
        return Region(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))

    def of(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This part of a picture, as a view."""
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]

    def local(self, points_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points (n, 2 or 3) relative to the rectangle."""
        moved = points_px.astype(np.float32).copy()
        moved[:, :2] -= (self.left, self.top)
        return moved


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A piece of picture with its matte, and where it belongs."""

    bgr: NDArray[np.uint8]  # (height, width, 3)
    matte: NDArray[np.uint8]  # (height, width)
    left: int
    top: int

    def faded(self, share: float) -> Patch:
        """The same with its matte at `share` (0 to 1)."""
        if share >= 1:
            return self
        return Patch(self.bgr, cv2.convertScaleAbs(self.matte, alpha=share), self.left, self.top)

    def draw(self, canvas: NDArray[np.uint8]) -> None:
        """Lay it over a picture, in place."""
        composite(canvas, self.bgr, self.matte, self.left, self.top)


def polygon_matte(points_px: NDArray[np.float32], region: Region, softness_px: float) -> NDArray[np.float32]:
    """(height, width) in [0, 1]: 1 inside the polygon (n, 2) px, with an edge about `softness_px` wide."""
    matte = np.zeros((region.height, region.width), np.uint8)
    fill(matte, region.local(points_px)[:, :2])
    soft = cv2.GaussianBlur(matte, (0, 0), softness_px) if softness_px > 0.2 else matte
    return soft.astype(np.float32) / np.float32(255)


def softened(matte: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """A Gaussian of a matte (height, width), mirrored at its edges. Wide ones are made of fewer pixels, within 0.02 of it and
    0.005 in the mean, in a fraction of the time; that shrinking and drawing out blur by themselves is made up for."""
    step = int(sigma_px / LEAST_SIGMA_PX)
    if step < LEAST_STEP:
        return np.asarray(cv2.GaussianBlur(matte, (0, 0), sigma_px), np.float32)
    height, width = matte.shape
    margin = step * int(np.ceil(3 * sigma_px / step))  # whole cells, so that none is mirrored but pixels
    below, right = margin + -height % step, margin + -width % step
    padded = cv2.copyMakeBorder(matte, margin, below, margin, right, cv2.BORDER_REFLECT_101)
    small = cv2.resize(padded, (padded.shape[1] // step, padded.shape[0] // step), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), (sigma_px**2 / step**2 - 1 / 4) ** 0.5)
    large = cv2.resize(small, padded.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(large[margin : margin + height, margin : margin + width], np.float32)


def lowered(matte: NDArray[np.float32], by_px: int) -> NDArray[np.float32]:
    """The matte moved down, empty above."""
    result = np.zeros_like(matte)
    result[by_px:] = matte[: max(0, len(matte) - by_px)]
    return result


def draw_quad(
    texture: NDArray[np.uint8], corners_px: NDArray[np.float32], region: Region
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """(height, width, 4) RGBA: a `texture` stretched between corners (4, 3), clockwise from the upper left; and its depth
    (height, width), infinite where there is nothing of it, whatever the RGBA says."""
    height, width = texture.shape[:2]
    source = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float32)
    backward = np.empty((region.height, region.width, 2), np.float32)
    depth = np.empty((region.height, region.width), np.float32)
    warp_mesh(region.local(corners_px), source, QUAD, backward, depth)
    picture = np.empty((region.height, region.width, 4), np.uint8)
    sample(texture, backward, picture)
    return picture, depth

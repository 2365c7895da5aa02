"""Eyes in layers: the white of the eye stays in the warped picture, the iris is a disc of its own, clipped by the lids."""

from __future__ import annotations

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.render.patch import Patch, Region, draw_quad, lowered, polygon_matte, softened

EYES = ((lm.EYE_LEFT, lm.IRIS_LEFT), (lm.EYE_RIGHT, lm.IRIS_RIGHT))
TEXTURE_PX = 96  # side of an iris texture
TEXTURE_SPAN = 1.3  # its half side, in iris radii
LID_INSET = 0.06  # how far inside the lid line the eye shows, in eye heights (lashes and the lid's rim cover the rest)
LID_SHADOW = 0.38  # how much the upper lid darkens the iris right under it
SMALLEST_EYE_PX = 1.2  # an eye whose lids are nearer than this shows no iris


def _radius(landmarks_px: lm.Points, iris: lm.Indices) -> float:
    ring, centre = landmarks_px[iris[1:], :2], landmarks_px[iris[0], :2]
    return float(np.linalg.norm(ring - centre, axis=1).max())


def paint_out_irises(picture: NDArray[np.uint8], landmarks_px: lm.Points) -> NDArray[np.uint8]:
    """The picture with the white of the eye where the irises were, so that they can move."""
    result = picture.copy()
    for eye, iris in EYES:
        region = Region.around(landmarks_px[eye], 4, picture.shape[1], picture.shape[0])
        if region is None:
            continue
        radius = _radius(landmarks_px, iris)
        inside = polygon_matte(landmarks_px[eye], region, 0.0)
        y, x = np.mgrid[0 : region.height, 0 : region.width].astype(np.float32)
        centre = landmarks_px[iris[0], :2] - (region.left, region.top)
        away = np.hypot(x - centre[0], y - centre[1])
        part = region.of(picture).astype(np.float32)
        white = _white(part, cv2.erode(inside, np.ones((3, 3))) * (away > 1.12 * radius), radius, part[inside > 0.5])
        hidden = cv2.GaussianBlur((np.clip(1.22 - away / radius, 0, 0.1) * 10 * inside).astype(np.float32), (0, 0), 0.8)
        mixed = part + (white - part) * hidden[..., None]
        region.of(result)[...] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
    return result


def _white(
    part: NDArray[np.float32], known: NDArray[np.float32], radius: float, eye: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Colour of the white of the eye everywhere, spread from where it is seen; a light grey where it is hardly seen."""
    fallback = np.percentile(eye, 85, axis=0) if len(eye) else np.array([170.0, 170.0, 170.0])
    fallback = (fallback + fallback.mean()) / 2
    total, weight = np.zeros_like(part), np.zeros(part.shape[:2], np.float32)
    for sigma, strength in ((0.25, 1.0), (0.6, 0.2), (1.5, 0.03)):
        spread = cv2.GaussianBlur(known, (0, 0), sigma * radius)
        total += strength * cv2.GaussianBlur(part * known[..., None], (0, 0), sigma * radius)
        weight += strength * spread
    floor = np.float32(2e-3)
    return (total + floor * fallback.astype(np.float32)) / (weight + floor)[..., None]


def iris_texture(
    picture: NDArray[np.uint8], landmarks_px: lm.Points, eye: lm.Indices, iris: lm.Indices
) -> NDArray[np.uint8]:
    """RGBA disc of the whole iris; what the lids hide is completed from the same distance to the pupil."""
    radius = _radius(landmarks_px, iris)
    centre = landmarks_px[iris[0], :2].astype(np.float32)
    angles, rings = 128, TEXTURE_PX // 2
    region = Region(0, 0, picture.shape[1], picture.shape[0])
    seen = polygon_matte(landmarks_px[eye], region, 0.0)
    seen = cv2.erode(seen, np.ones((3, 3)), iterations=max(1, round(0.08 * radius)))
    theta = np.arange(angles, dtype=np.float32)[:, None] * np.float32(2 * np.pi / angles)
    r = (np.arange(rings, dtype=np.float32)[None] + 0.5) / rings * np.float32(TEXTURE_SPAN * radius)
    x, y = centre[0] + r * np.cos(theta), centre[1] + r * np.sin(theta)
    polar = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    known = cv2.remap(seen, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    polar = _complete(polar, known)
    side = np.arange(TEXTURE_PX, dtype=np.float32) - (TEXTURE_PX - 1) / 2
    px, py = np.meshgrid(side, side)
    distance = np.hypot(px, py)
    turn = (np.arctan2(py, px) % (2 * np.pi)) * np.float32(angles / (2 * np.pi))
    wrapped = np.concatenate([polar, polar[:1]], axis=0)
    colour = cv2.remap(wrapped, np.clip(distance - 0.5, 0, rings - 1), turn, cv2.INTER_LINEAR)
    edge = (distance / (TEXTURE_PX / 2) * TEXTURE_SPAN).astype(np.float32)
    alpha = 255 * np.clip((1.10 - edge) / 0.16, 0, 1)
    return np.clip(np.dstack([colour, alpha]) + 0.5, 0, 255).astype(np.uint8)


def _complete(polar: NDArray[np.float32], known: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill unknown parts of (angles, rings, 3) from the neighbouring angles, in the last resort from the ring's mean."""
    angles = len(polar)
    stacked, weight = np.tile(polar * known[..., None], (3, 1, 1)), np.tile(known, (3, 1))
    total, sum_of_weights = np.zeros_like(stacked), np.zeros_like(weight)
    for sigma, strength in ((4.0, 1.0), (16.0, 0.03), (48.0, 0.001)):
        total += strength * cv2.GaussianBlur(stacked, (1, 0), sigmaX=0.1, sigmaY=sigma)
        sum_of_weights += strength * cv2.GaussianBlur(weight, (1, 0), sigmaX=0.1, sigmaY=sigma)
    middle = slice(angles, 2 * angles)
    mean = (polar * known[..., None]).sum((0, 1)) / max(float(known.sum()), 1e-3)
    filled = (total[middle] + 1e-5 * mean) / (sum_of_weights[middle] + 1e-5)[..., None]
    share = np.clip(known, 0, 1)[..., None]
    return (polar * share + filled * (1 - share)).astype(np.float32)


class Irises:
    """Both irises of one photograph."""

    def __init__(self, picture: NDArray[np.uint8], landmarks_px: lm.Points) -> None:
        """Take the textures from `picture` (height, width, 3) with its landmarks (478, 3) px."""
        self._textures = [iris_texture(picture, landmarks_px, eye, iris) for eye, iris in EYES]
        self._radii = [_radius(landmarks_px, iris) for _, iris in EYES]

    def patches(
        self, landmarks_px: lm.Points, scale: float, turn: NDArray[np.float32], width_px: int, height_px: int
    ) -> list[Patch]:
        """What shows of them on a picture of that size, for a face at `landmarks_px`; `scale` is the face's size relative
        to the photograph, `turn` (3, 3) its rotation, by which the discs are foreshortened."""
        drawn = [
            _iris(landmarks_px, eye, iris, texture, radius * scale, turn, (width_px, height_px))
            for (eye, iris), texture, radius in zip(EYES, self._textures, self._radii, strict=True)
        ]
        return [patch for patch in drawn if patch is not None]


def _iris(
    landmarks_px: lm.Points,
    eye: lm.Indices,
    iris: lm.Indices,
    texture: NDArray[np.uint8],
    radius_px: float,
    turn: NDArray[np.float32],
    size_px: tuple[int, int],
) -> Patch | None:
    lids = landmarks_px[eye]
    height = float(np.linalg.norm(lids[4, :2] - lids[12, :2]))
    if height < SMALLEST_EYE_PX:
        return None
    region = Region.around(lids, 2, *size_px)
    if region is None:
        return None
    half = np.float32(radius_px * TEXTURE_SPAN)
    across, down = turn[:2, 0] * half, turn[:2, 1] * half
    centre = landmarks_px[iris[0], :2]
    corners = np.zeros((4, 3), np.float32)
    corners[:, :2] = centre - across - down, centre + across - down, centre + across + down, centre - across + down
    disc, depth = draw_quad(texture, corners, region)
    inset = lids.copy()
    inset[1:8, 1] += LID_INSET * height
    inset[9:, 1] -= LID_INSET * height
    clip = polygon_matte(inset, region, max(0.5, 0.05 * height))
    below_lid = lowered(clip, max(1, round(0.22 * height)))
    light = softened(below_lid, max(0.6, 0.12 * height))
    return Patch(*_under_lids(disc, depth, clip, light), region.left, region.top)


@numba.njit(cache=True, nogil=True)
def _under_lids(
    disc: NDArray[np.uint8], depth: NDArray[np.float32], clip: NDArray[np.float32], light: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Colours (height, width, 3) and matte of an RGBA iris in the shade of the lids, clipped by them; nothing where its depth is
    infinite."""
    colours, matte = np.zeros((*clip.shape, 3), np.uint8), np.zeros(clip.shape, np.uint8)
    half, most = np.float32(0.5), np.float32(255)
    for y in range(clip.shape[0]):
        for x in range(clip.shape[1]):
            if depth[y, x] == np.inf:
                continue
            shade = 1 - np.float32(LID_SHADOW) * (1 - light[y, x])
            for c in range(3):
                colours[y, x, c] = np.uint8(min(np.float32(disc[y, x, c]) * shade + half, most))
            matte[y, x] = np.uint8(np.float32(disc[y, x, 3]) * clip[y, x] + half)
    return colours, matte

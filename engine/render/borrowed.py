"""Mouths and eyes that a frame of a clip borrows from other frames of it.

As in Face2Face (Thies et al., CVPR 2016, section 6.2) a mouth is retrieved from the actor's own by how alike it is, and kept
while it is good enough, so that nothing flickers; it is bent to where the lips are and lit as the frame is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.curves import smoothstep
from engine.face import landmarks as lm
from engine.face.light import Light, ratio, vertex_normals
from engine.face.pose import Pose, euler_from_rotation
from engine.face.retarget import Target
from engine.names import BlendName
from engine.puppet.clip import Clip
from engine.render.blends import BLENDS, Picture, mixed
from engine.render.face_layer import face_mask
from engine.render.head_mesh import skin_triangles
from engine.render.moves import Moves
from engine.render.patch import Region, polygon_matte
from engine.render.references import Chooser, Look
from kernels.sample.cpu import sample
from kernels.warp_mesh.cpu import warp_mesh

LIPS: Final = np.concatenate([lm.LIPS_OUTER, lm.LIPS_INNER])
STEP: Final = 0.02  # mean distance of the lips' points that counts as one step, inter-ocular distances
TURN_DEG: Final = 15.0  # likewise of the head
LOG_GAP: Final = 0.4  # likewise of the logarithm of how far the lips are apart: what is drawn out shows it
FADE_S: Final = 0.1
REACH: Final = 0.55  # around the part that is cut out, inter-ocular distances
GROWN: Final = {"mouth": 0.32, "eye": 0.1}  # what is borrowed beyond lips or lids, inter-ocular distances
INSET: Final = 0.05  # how far inside the face's contour it ends, of its width
# Times that lips shall be further apart than in a frame: its mouth begins not to do, and doesn't.
LIKE, UNLIKE = 1.3, 2.0
BEARS: Final = 2.0  # a dark mouth may be opened so many times further than one with teeth
DARK: Final = 0.5  # of the brightness around it: a mouth of which three quarters are darker has nothing to be drawn out
SKIN: Final = 0.3  # how far around lips that is looked at, inter-ocular distances
SLIT: Final = 0.02  # lips nearer than this count as so far apart, inter-ocular distances
SHUT, OPEN = 1.5, 2.5  # times that lids shall be further apart than in the frame: eyes begin to be borrowed, and are


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A part of one frame."""

    picture: Picture  # (height, width, 3), the part and what is around it
    landmarks_px: lm.Points  # in the part's pixels
    light: Light
    normals: NDArray[np.float32]

    @staticmethod
    def of(clip: Clip, index: int, contours: lm.Indices, unit_px: float) -> _Part:
        whole, points = clip.picture(index), clip.analysis.landmarks_px[index]
        region = Region.around(points[contours], REACH * unit_px, whole.shape[1], whole.shape[0])
        if region is None:
            region = Region(0, 0, whole.shape[1], whole.shape[0])
        picture = np.ascontiguousarray(region.of(whole))
        return _Part(picture, region.local(points), Light(clip.analysis.lights[index]), vertex_normals(points))


@dataclass(frozen=True, slots=True, eq=False)
class Lent:
    """A picture with what it borrowed."""

    picture: Picture
    mouth_suits: float  # from 0, no frame shows such a mouth, to 1


class Borrowed:
    """What the frames of a clip lend each other. Use it from one thread."""

    def __init__(self, clip: Clip, poses: list[Pose]) -> None:
        """`poses`: the head's in each frame."""
        self._clip, self._poses = clip, poses
        found = clip.analysis
        self._mouths = [_Part.of(clip, int(i), LIPS, poses[i].scale) for i in found.mouths]
        both = np.concatenate([lm.EYE_LEFT, lm.EYE_RIGHT])
        self._eyes = [_Part.of(clip, int(i), both, poses[i].scale) for i in found.eyes]
        self._turns = [euler_from_rotation(poses[i].rotation)[:2] for i in found.eyes]
        looks = [_mouth_look(found.landmarks_px[i], poses[i]) for i in found.mouths]
        self._looks = [looks[0], *looks]  # the first is the frame's own
        self._bearable = [
            _bearable(_gap(found.landmarks_px[i], poses[i]), part.picture, part.landmarks_px, poses[i].scale)
            for part, i in zip(self._mouths, found.mouths, strict=True)
        ]
        self._choose = Chooser(self._looks, FADE_S)

    def lend(self, drawn: Picture, index: int, here: Target, moves: Moves, blend: BlendName, now_s: float) -> Lent:
        """`drawn`, a part of frame `index` warped to the face `here`, with the mouth and the eyes that suit it better."""
        lent = Lent(drawn, 1.0)
        if moves.mouth > 0:
            lent = self._with_mouth(drawn, index, here, moves.mouth, blend, now_s)
        return Lent(self._with_eyes(lent.picture, index, here, moves.eyes, blend), lent.mouth_suits)

    def _with_mouth(
        self, drawn: Picture, index: int, here: Target, share: float, blend: BlendName, now_s: float
    ) -> Lent:
        own = self._clip.analysis.landmarks_px[index]
        self._looks[0] = _mouth_look(own, self._poses[index])
        own_gap = _gap(own, self._poses[index])
        bearable = [_bearable(own_gap, drawn, here.landmarks_px, here.pose.scale), *self._bearable]
        wanted, gap = _mouth_look(here.landmarks_px, here.pose), _gap(here.landmarks_px, here.pose)
        chosen, suits = self._choose(wanted, now_s), 1.0
        for number, part_share in chosen:
            fits = 1 - smoothstep((gap / bearable[number] - LIKE) / (UNLIKE - LIKE))
            suits += part_share * (fits - suits)
        share *= suits
        if share <= 0 or all(number == 0 for number, _ in chosen):
            return Lent(drawn, suits)
        result = drawn
        for number, part_share in chosen:
            over = drawn
            if number > 0:
                part = self._mouths[number - 1]
                over = self._laid(drawn, part, index, here, lm.LIPS_OUTER, "mouth", blend)
            result = over if part_share >= 1 else mixed(result, over, part_share)
        return Lent(result if share >= 1 else mixed(drawn, result, share), suits)

    def _with_eyes(self, drawn: Picture, index: int, here: Target, share: float, blend: BlendName) -> Picture:
        own = self._clip.analysis.landmarks_px[index]
        wider = min(lm.lid_openings(here.landmarks_px)) / max(min(lm.lid_openings(own)), 1e-3)
        share *= smoothstep(float((wider - SHUT) / (OPEN - SHUT)))
        if share <= 0:
            return drawn
        yaw, pitch, _ = euler_from_rotation(here.pose.rotation)
        part = self._eyes[int(np.argmin([abs(y - yaw) + abs(p - pitch) for y, p in self._turns]))]
        result = drawn
        for contour in (lm.EYE_LEFT, lm.EYE_RIGHT):
            result = self._laid(result, part, index, here, contour, "eye", blend)
        return mixed(drawn, result, share)

    def _laid(
        self, drawn: Picture, part: _Part, index: int, here: Target, contour: lm.Indices, kind: str, blend: BlendName
    ) -> Picture:
        """`drawn` with another frame's part bent to the face `here` and laid over it."""
        unit = here.pose.scale
        region = Region.around(here.landmarks_px[contour], REACH * unit, drawn.shape[1], drawn.shape[0])
        if region is None:
            return drawn
        shape = (region.height, region.width)
        backward, depth = np.empty((*shape, 2), np.float32), np.empty(shape, np.float32)
        target = region.local(here.landmarks_px[: lm.SKIN_COUNT])
        warp_mesh(target, part.landmarks_px[: lm.SKIN_COUNT, :2].copy(), skin_triangles(), backward, depth)
        layer = np.empty((*shape, 3), np.uint8)
        sample(part.picture, backward, layer)
        layer = self._lit(layer, part, index, here, contour)
        mask = _grown(region.local(here.landmarks_px[contour]), GROWN[kind] * unit, shape)
        mask &= face_mask(here.landmarks_px, region, INSET)
        mask[np.isinf(depth)] = 0
        result = drawn.copy()
        canvas = np.ascontiguousarray(region.of(drawn))
        region.of(result)[...] = BLENDS[blend](canvas, layer, mask, unit)
        return result

    def _lit(self, layer: Picture, part: _Part, index: int, here: Target, contour: lm.Indices) -> Picture:
        """In the frame's light instead of its own."""
        light = Light(self._clip.analysis.lights[index])
        normals = vertex_normals(here.landmarks_px)
        gain = float(ratio(part.light, part.normals[contour], light, normals[contour]).mean())
        return np.clip(layer * np.float32(gain) + 0.5, 0, 255).astype(np.uint8)


def _mouth_look(landmarks_px: lm.Points, pose: Pose) -> Look:
    lips = pose.invert(landmarks_px)[LIPS, :2].ravel() / (STEP * np.sqrt(2 * len(LIPS)))
    yaw, pitch, _ = euler_from_rotation(pose.rotation)
    opened = np.log(_gap(landmarks_px, pose)) / LOG_GAP
    return Look(np.append(lips, [yaw / TURN_DEG, pitch / TURN_DEG, opened]).astype(np.float32))


def _gap(landmarks_px: lm.Points, pose: Pose) -> float:
    return max(SLIT, lm.lip_gap(landmarks_px) / pose.scale)


def _bearable(gap: float, picture: Picture, landmarks_px: lm.Points, unit_px: float) -> float:
    """The `gap` of a mouth's lips, or more where it is open and dark, as the `picture` of it at `landmarks_px` shows."""
    region = Region.around(landmarks_px[LIPS], SKIN * unit_px, picture.shape[1], picture.shape[0])
    if gap <= SLIT or region is None:
        return gap
    inside = polygon_matte(landmarks_px[lm.LIPS_INNER], region, 0.0) > 0.5
    luma = region.of(picture).mean(2)
    dark = inside.any() and np.percentile(luma[inside], 75) < DARK * np.median(luma[~inside])
    return gap * BEARS if dark else gap


def _grown(contour_px: NDArray[np.float32], by_px: float, shape: tuple[int, int]) -> Picture:
    """(height, width): 255 inside a contour and what is near it."""
    middle = contour_px[:, :2].mean(0)
    away = contour_px[:, :2] - middle
    points = middle + away + away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-3) * np.float32(by_px)
    matte = polygon_matte(points.astype(np.float32), Region(0, 0, shape[1], shape[0]), 0.0)
    return (matte > 0.5).astype(np.uint8) * np.uint8(255)

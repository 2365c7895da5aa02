"""Mode `face2face`: the canvas is the puppet's clip, which plays on; only the expression is the performer's.

Thies et al., "Face2Face: Real-time Face Capture and Reenactment of RGB Videos", CVPR 2016. What the performer's expression
differs by from the actor's own in the frame that plays is added to the face in that frame; where nothing differs, nothing is
touched. Mouths that differ come from the clip's own frames (section 6.2 there) or, where the actor never opens it so far, are the
layers and the network of mode `portrait`; eyes that the actor shut come from frames in which they are open.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.curves import smoothstep
from engine.errors import PuppetError
from engine.face import landmarks as lm
from engine.face.performance import Performance
from engine.face.pose import fit_head
from engine.face.retarget import PuppetFace, Target
from engine.names import BlendName, Play
from engine.puppet.clip import frame_at
from engine.puppet.format import Puppet
from engine.render.blends import Picture, mixed
from engine.render.borrowed import Borrowed
from engine.render.canvas import fit_scale, surround
from engine.render.crops import Part
from engine.render.eyes import Irises, paint_out_irises
from engine.render.face_layer import local_target
from engine.render.generator import Generator, Networks
from engine.render.head_mesh import rolled_lids, skin_triangles
from engine.render.mouth import Mouth
from engine.render.moves import Moves
from engine.render.patch import Region
from engine.render.quality import LADDER, Quality
from engine.render.view import Shown, talking
from kernels.sample.cpu import sample
from kernels.warp_mesh.cpu import warp_mesh

BAND: Final = 0.45  # around the contour, in which what follows the chin fades out, inter-ocular distances
NOISE, CERTAIN = 0.004, 0.014  # a point that shall move by less stays, by more goes all the way, inter-ocular distances
GAZE_NOISE: Final = 0.02  # likewise for irises: looking is told less exactly


class ClipView:
    """See the top of this file. Use it from one thread."""

    def __init__(
        self,
        puppet: Puppet,
        width_px: int,
        height_px: int,
        *,
        play: Play = "loop",
        networks: Networks | None = None,
        blend: BlendName = "feather",
    ) -> None:
        """PuppetError where the puppet has no clip."""
        if puppet.clip is None:
            raise PuppetError(
                wanted=f"a clip in the puppet {puppet.name} for mode face2face",
                found="photographs alone",
                advice="Make a puppet of a clip with 'mimicam puppet new CLIP --consent ...', or use mode portrait or swap.",
            )
        self.blend: BlendName = blend
        self._clip, self._play, self._networks = puppet.clip, play, networks
        found = puppet.clip.analysis
        self._poses = [fit_head(found.neutral, points) for points in found.landmarks_px]
        rest = self._poses[0].apply(found.neutral)
        self._actor = PuppetFace(rest, keep_expression=True)
        first = puppet.clip.picture(0)
        self._mouth = Mouth(first, PuppetFace(found.landmarks_px[0], neutral=found.neutral))
        self._scale = fit_scale(first, width_px, height_px)
        self._canvas, self._left, self._top = surround(self._sized(first), width_px, height_px)
        self._borrowed = Borrowed(puppet.clip, self._poses)
        widest = int(found.eyes[np.argmax([min(lm.lid_openings(found.landmarks_px[i])) for i in found.eyes])])
        self._irises = Irises(puppet.clip.picture(widest), found.landmarks_px[widest])
        self._iris_pose = self._poses[widest]
        self._generator = None if networks is None else self._generator_of(networks, widest)
        self._began_s: float | None = None

    def draw(self, shown: Shown, quality: Quality = LADDER[0]) -> NDArray[np.uint8]:
        """A new canvas (height, width, 3): the frame that plays at that time with the performer's expression."""
        self._began_s = shown.now_s if self._began_s is None else self._began_s
        index = frame_at(shown.now_s - self._began_s, self._clip.rate_hz, len(self._clip), self._play)
        return self._placed(self.draw_frame(index, shown.performance, shown.now_s, quality))

    def rehearse(self, quality: Quality) -> None:
        """Draw an open mouth, of which nothing is kept."""
        self._placed(self.draw_frame(0, talking(), 0.0, quality))

    def draw_frame(
        self, index: int, performance: Performance, now_s: float, quality: Quality = LADDER[0]
    ) -> NDArray[np.uint8]:
        """A frame of the clip, at the clip's size, with an expression."""
        picture = self._clip.picture(index)
        target, moves = self._target(index, performance)
        if not moves.any:
            return picture
        own_px, pose = self._clip.analysis.landmarks_px[index], self._poses[index]
        ring = _ring(own_px, BAND * pose.scale)
        height, width = picture.shape[:2]
        region = Region.around(ring, 2, width, height)
        if region is None:
            return picture
        here, own = local_target(target, region), local_target(Target(own_px, pose), region)
        before = np.ascontiguousarray(region.of(picture))
        drawn, backward = _warped(before, own, here, region.local(ring))
        lent = self._borrowed.lend(drawn, index, here, moves, self.blend, now_s)
        drawn, unseen = lent.picture, moves.mouth * (1 - lent.mouth_suits)
        patch = self._mouth.patch(here, drawn.shape[1], drawn.shape[0]) if unseen > 0 else None
        if patch is not None:
            patch.faded(unseen).draw(drawn)
        if moves.eyes > 0:
            turn = pose.rotation @ self._iris_pose.rotation.T
            eyes = paint_out_irises(drawn, here.landmarks_px)
            scale, size = pose.scale / self._iris_pose.scale, (eyes.shape[1], eyes.shape[0])
            for patch in self._irises.patches(here.landmarks_px, scale, turn, *size):
                patch.draw(eyes)
            drawn = mixed(drawn, eyes, moves.eyes)
        if self._generator is not None and quality.generator:
            strength: dict[Part, float] = {"mouth": unseen, "eye": moves.eyes}
            self._generator.draw(drawn, here, backward, strength)
        region.of(picture)[...] = drawn
        return picture

    def _target(self, index: int, performance: Performance) -> tuple[Target, Moves]:
        found, pose = self._clip.analysis, self._poses[index]
        wanted, own = self._actor.shape_of(performance.offsets), self._actor.shape_of(found.offsets[index])
        delta = wanted - own
        size = np.linalg.norm(delta, axis=1)
        noise = np.where(np.arange(lm.COUNT) < lm.SKIN_COUNT, NOISE, GAZE_NOISE)
        delta *= smoothstep((size - noise) / (CERTAIN - NOISE))[:, None]
        points = found.landmarks_px[index] + np.float32(pose.scale) * delta @ pose.rotation.T
        return Target(points.astype(np.float32), pose), Moves.of(delta)

    def _generator_of(self, networks: Networks, index: int) -> Generator:
        points = self._clip.analysis.landmarks_px[index]
        return Generator(networks, self._clip.picture(index), Target(points, self._poses[index]))

    def _sized(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._scale == 1:
            return picture
        how = cv2.INTER_AREA if self._scale < 1 else cv2.INTER_LINEAR
        size = (round(picture.shape[1] * self._scale), round(picture.shape[0] * self._scale))
        return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)

    def _placed(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        sized = self._sized(picture)
        if sized.shape == self._canvas.shape:
            return sized
        canvas = self._canvas.copy()
        canvas[self._top : self._top + sized.shape[0], self._left : self._left + sized.shape[1]] = sized
        return canvas


def _ring(landmarks_px: lm.Points, width_px: float) -> NDArray[np.float32]:
    """(36, 3): points around the contour of a face that stay where they are."""
    contour = landmarks_px[lm.OVAL]
    away = contour[:, :2] - contour[:, :2].mean(0)
    ring = contour.astype(np.float32).copy()
    ring[:, :2] += away / np.linalg.norm(away, axis=1, keepdims=True) * np.float32(width_px)
    return ring


@cache
def _triangles() -> NDArray[np.int32]:
    """(m, 3): the face's mesh and the band between its contour and the ring, whose points come after the skin's."""
    inner, outer = lm.OVAL.tolist(), list(range(lm.SKIN_COUNT, lm.SKIN_COUNT + len(lm.OVAL)))
    band = [
        triangle
        for (a, b), (c, d) in zip(pairwise([*inner, inner[0]]), pairwise([*outer, outer[0]]), strict=True)
        for triangle in ((a, c, d), (a, d, b))
    ]
    return np.concatenate([skin_triangles(), np.array(band, np.int32)])


def _warped(
    before: Picture, own: Target, here: Target, ring_px: NDArray[np.float32]
) -> tuple[Picture, NDArray[np.float32]]:
    """A part of a frame with its face, which lies at `own`, moved to `here`; and where each pixel was read (height, width, 2)."""
    source = np.concatenate([own.landmarks_px[: lm.SKIN_COUNT], ring_px])[:, :2].astype(np.float32)
    target = np.concatenate([here.landmarks_px[: lm.SKIN_COUNT], ring_px]).astype(np.float32)
    backward, depth = np.empty((*before.shape[:2], 2), np.float32), np.empty(before.shape[:2], np.float32)
    warp_mesh(target, rolled_lids(source, here.landmarks_px, 1.0), _triangles(), backward, depth)
    drawn = np.empty_like(before)
    sample(before, backward, drawn)
    return drawn, backward

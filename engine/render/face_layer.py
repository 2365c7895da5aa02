"""The face of one photograph, drawn into any picture: for other references of a puppet, and for swaps."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.face.pose import Pose
from engine.face.retarget import PuppetFace, Target
from engine.puppet.format import Reference
from engine.render.generator import Generator, Networks
from engine.render.head_mesh import HeadMesh
from engine.render.patch import Region, polygon_matte
from engine.render.photograph import Photograph, scaled
from engine.render.quality import LADDER, Quality
from kernels.sample.cpu import sample
from kernels.warp_mesh.cpu import warp_mesh

FEATURES = (lm.EYE_LEFT, lm.EYE_RIGHT, lm.BROW_LEFT, lm.BROW_RIGHT, lm.LIPS_OUTER)
FEATURE_RIM = 0.07  # around eyes, brows and lips, inter-ocular distances
FINEST = 1.5  # a photograph more than so much larger than what is drawn is shrunk by half first


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A face drawn for a region of a picture."""

    bgr: NDArray[np.uint8]  # (height, width, 3)
    covered: NDArray[np.bool_]  # (height, width): the photograph shows something there


@dataclass(frozen=True, slots=True, eq=False)
class _Size:
    photograph: Photograph
    mesh: HeadMesh
    generator: Generator | None


class FaceLayer:
    """One photograph's face and what is near it. Use it from one thread."""

    def __init__(
        self, reference: Reference, networks: Networks | None = None, neutral: lm.Points | None = None
    ) -> None:
        """Sizes of the photograph are made as they are needed; `neutral` as for `PuppetFace`."""
        self._reference, self._networks, self._neutral = reference, networks, neutral
        self._sizes: dict[int, _Size] = {}

    @property
    def face(self) -> PuppetFace:
        """Geometry of the photograph at its own size."""
        return self._size(0).photograph.face

    def draw(self, target: Target, region: Region, quality: Quality = LADDER[0]) -> Drawn:
        """The face at `target`, whose coordinates are those of the picture that `region` is of."""
        size = self._size(self._halvings(target.pose.scale))
        here = local_target(target, region)
        shape = (region.height, region.width)
        backward, depth = np.empty((*shape, 2), np.float32), np.empty(shape, np.float32)
        vertices = size.mesh.place(here.landmarks_px, here.pose, whole=True)
        source = size.mesh.source(here.landmarks_px, here.pose)
        warp_mesh(vertices, source, size.mesh.triangles, backward, depth)
        picture = np.empty((*shape, 3), np.uint8)
        sample(size.photograph.plain, backward, picture)
        size.photograph.draw_layers(picture, here)
        if size.generator is not None and quality.generator:
            size.generator.draw(picture, here, backward)
        return Drawn(picture, np.isfinite(depth))

    def _halvings(self, scale_px: float) -> int:
        ratio = self.face.pose.scale / max(scale_px, 1.0)
        return max(0, int(np.ceil(np.log2(max(ratio / FINEST, 1e-3)))))

    def _size(self, halvings: int) -> _Size:
        if halvings not in self._sizes:
            small = scaled(self._reference, 0.5**halvings)
            photograph = Photograph(small.picture, small.landmarks_px, neutral=self._neutral)
            height, width = small.picture.shape[:2]
            mesh = HeadMesh(photograph.face.landmarks_px, photograph.face.pose, width, height)
            networks = self._networks
            generator = None if networks is None else Generator(networks, small.picture, photograph.at_rest)
            self._sizes[halvings] = _Size(photograph, mesh, generator)
        return self._sizes[halvings]


def local_target(target: Target, region: Region) -> Target:
    """The same face in pixels of a region."""
    corner = np.array([region.left, region.top, 0], np.float32)
    pose = target.pose
    return Target(target.landmarks_px - corner, Pose(pose.rotation, pose.translation - corner, pose.scale))


def face_mask(landmarks_px: lm.Points, region: Region, inset: float = 0.0) -> NDArray[np.uint8]:
    """(height, width): 255 inside a face's contour, which is drawn in by `inset` of its width, in pixels of a region."""
    contour = landmarks_px[lm.OVAL, :2]
    middle = contour.mean(0)
    matte = polygon_matte(middle + (contour - middle) * np.float32(1 - inset), region, 0.0)
    return (matte > 0.5).astype(np.uint8) * np.uint8(255)


def bare_skin(mask: NDArray[np.uint8], face: Target) -> NDArray[np.uint8]:
    """A `mask` of a region without the eyes, brows and lips of a face, whose landmarks are in the region's pixels."""
    result = mask.copy()
    rim = max(1, round(FEATURE_RIM * face.pose.scale))
    for feature in FEATURES:
        hull = cv2.convexHull(face.landmarks_px[feature, :2].round().astype(np.int32))
        cv2.fillConvexPoly(result, hull, 0)
        cv2.polylines(result, [hull], True, 0, 2 * rim)
    return result

"""Draw a puppet's photograph doing a performance: the layered warp of one picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face.performance import Performance
from engine.face.pose import Pose
from engine.face.retarget import Target
from engine.render.generator import Generator, Networks
from engine.render.head_mesh import HeadMesh
from engine.render.photograph import Photograph
from engine.render.quality import LADDER, Quality
from kernels.sample.cpu import sample
from kernels.soften_edges.cpu import soften_edges
from kernels.warp_mesh.cpu import warp_mesh

JUMP = 0.03  # source positions of neighbouring pixels further apart than this lie on two sides of an edge, inter-ocular distances


@dataclass(frozen=True, slots=True)
class _Raster:
    """What one size of picture is drawn from, by and into."""

    plain: NDArray[np.uint8]  # (height, width, 3), the photograph without irises
    factor: NDArray[np.float32]  # (2,) its size over the photograph's, x and y
    backward: NDArray[np.float32]  # (height, width, 2)
    depth: NDArray[np.float32]  # (height, width)
    generator: Generator | None = None

    @staticmethod
    def of(plain: NDArray[np.uint8], share: float) -> _Raster:
        height, width = (max(2, int(side * share)) for side in plain.shape[:2])
        factor = np.array([width / plain.shape[1], height / plain.shape[0]], np.float32)
        small = plain if share == 1 else np.asarray(cv2.resize(plain, (width, height), interpolation=cv2.INTER_AREA))
        backward, depth = np.empty((height, width, 2), np.float32), np.empty((height, width), np.float32)
        return _Raster(small, factor, backward, depth)

    def shrunk(self, points_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points (n, 2 or 3) of the photograph's pixels in pixels of this size, whose centres lie at whole numbers."""
        result = points_px.astype(np.float32)
        result[..., :2] = (result[..., :2] + np.float32(0.5)) * self.factor - np.float32(0.5)
        result[..., 2:] *= self.factor.mean()
        return result

    def target(self, target: Target) -> Target:
        """The face in pixels of this size."""
        pose = target.pose
        moved = Pose(pose.rotation, self.shrunk(pose.translation), pose.scale * float(self.factor.mean()))
        return Target(self.shrunk(target.landmarks_px), moved)


class Portrait:
    """One photograph that can be moved. Not safe to call from two threads at once."""

    def __init__(self, photograph: Photograph, networks: Networks | None = None) -> None:
        """Without `networks` it is the warp alone."""
        height, width = photograph.picture.shape[:2]
        self.photograph = photograph
        self.face = self.photograph.face
        self._mesh = HeadMesh(self.face.landmarks_px, self.face.pose, width, height)
        self._networks = networks
        self._rasters: dict[float, _Raster] = {}

    def draw(self, performance: Performance, quality: Quality = LADDER[0]) -> tuple[NDArray[np.uint8], Target]:
        """A new picture of the photograph's size, and where the face lies in it."""
        target = self.face.retarget(performance)
        return self.draw_target(target, quality), target

    def draw_target(self, target: Target, quality: Quality = LADDER[0]) -> NDArray[np.uint8]:
        """A new picture of the photograph's size with its face where `target` says."""
        raster = self._raster(quality.share)
        shown = self._draw(target, raster, quality)
        if quality.share == 1:
            return shown
        return np.asarray(
            cv2.resize(shown, self.photograph.plain.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8
        )

    @property
    def vertex_count(self) -> int:
        """Vertices of the mesh."""
        return len(self._mesh.source_px)

    @property
    def triangles(self) -> NDArray[np.int32]:
        """(m, 3) of the mesh."""
        return self._mesh.triangles

    def placed(self, target: Target) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Vertices (n, 3) px of the mesh for a face at `target`, and where in the photograph (n, 2) px they read."""
        return (
            self._mesh.place(target.landmarks_px, target.pose).astype(np.float32),
            self._mesh.source(target.landmarks_px, target.pose),
        )

    @property
    def backward(self) -> NDArray[np.float32]:
        """(height, width, 2): which pixel of the photograph the last picture of full size showed where, px."""
        return self._raster(1.0).backward

    def _raster(self, share: float) -> _Raster:
        if share not in self._rasters:
            raster = _Raster.of(self.photograph.plain, share)
            if self._networks is not None:
                generator = Generator(
                    self._networks, self.photograph.picture, self.photograph.at_rest, float(raster.factor.mean())
                )
                raster = replace(raster, generator=generator)
            self._rasters[share] = raster
        return self._rasters[share]

    def _draw(self, target: Target, raster: _Raster, quality: Quality) -> NDArray[np.uint8]:
        sampled = np.empty_like(raster.plain)
        vertices, source = (raster.shrunk(points) for points in self.placed(target))
        warp_mesh(vertices, source, self._mesh.triangles, raster.backward, raster.depth)
        sample(raster.plain, raster.backward, sampled)
        picture = sampled
        if quality.smooth_edges:
            picture = np.empty_like(sampled)
            jump = JUMP * self.face.pose.scale * float(raster.factor.mean())
            soften_edges(sampled, raster.backward, jump, picture)
        seen = raster.target(target)
        self.photograph.draw_layers(picture, seen)
        if raster.generator is not None and quality.generator:
            raster.generator.draw(picture, seen, raster.backward)
        return picture

"""Draw a puppet's photograph doing a performance: the layered warp of one picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.face.performance import Performance
from engine.face.retarget import PuppetFace, Target
from engine.render.eyes import Irises, paint_out_irises
from engine.render.head_mesh import HeadMesh
from engine.render.mouth import Mouth
from kernels.sample.cpu import sample
from kernels.soften_edges.cpu import soften_edges
from kernels.warp_mesh.cpu import warp_mesh

JUMP = 0.03  # source positions of neighbouring pixels further apart than this lie on two sides of an edge, inter-ocular distances


class Portrait:
    """One photograph that can be moved. Not safe to call from two threads at once."""

    def __init__(self, picture: NDArray[np.uint8], landmarks_px: lm.Points, *, keep_expression: bool = False) -> None:
        """`picture` (height, width, 3) BGR with its landmarks (478, 3) px."""
        height, width = picture.shape[:2]
        self.face = PuppetFace(landmarks_px, keep_expression=keep_expression)
        self._plain = paint_out_irises(picture, self.face.landmarks_px)
        self._mesh = HeadMesh(self.face.landmarks_px, self.face.pose, width, height)
        self._irises = Irises(picture, self.face.landmarks_px)
        self._mouth = Mouth(picture, self.face)
        self.backward = np.empty((height, width, 2), np.float32)  # of the last picture drawn, px of the photograph
        self._depth = np.empty((height, width), np.float32)

    def draw(self, performance: Performance) -> tuple[NDArray[np.uint8], Target]:
        """A new picture of the photograph's size, and where the face lies in it."""
        target = self.face.retarget(performance)
        return self.draw_target(target), target

    def draw_target(self, target: Target) -> NDArray[np.uint8]:
        """A new picture of the photograph's size with its face where `target` says."""
        sampled, picture = np.empty_like(self._plain), np.empty_like(self._plain)
        vertices = self._mesh.place(target.landmarks_px, target.pose)
        source = self._mesh.source(target.landmarks_px, target.pose)
        warp_mesh(vertices, source, self._mesh.triangles, self.backward, self._depth)
        sample(self._plain, self.backward, sampled)
        soften_edges(sampled, self.backward, JUMP * self.face.pose.scale, picture)
        self._mouth.draw(picture, target)
        turn = target.pose.rotation @ self.face.pose.rotation.T
        self._irises.draw(picture, target.landmarks_px, target.pose.scale / self.face.pose.scale, turn)
        return picture

"""One photograph of a face, taken apart into what is drawn of it: skin without irises, irises, the inside of the mouth."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.face.retarget import PuppetFace, Target
from engine.puppet.format import Reference
from engine.render.eyes import Irises, paint_out_irises
from engine.render.mouth import Mouth
from engine.render.patch import Patch


class Photograph:
    """A photograph, its face's geometry, and its layers."""

    def __init__(
        self,
        picture: NDArray[np.uint8],
        landmarks_px: lm.Points,
        *,
        keep_expression: bool = False,
        absolute_pose: bool = False,
        neutral: lm.Points | None = None,
    ) -> None:
        """`picture` (height, width, 3) BGR with its landmarks (478, 3) px; the rest as for `PuppetFace`."""
        self.picture = picture
        self.face = PuppetFace(
            landmarks_px, keep_expression=keep_expression, absolute_pose=absolute_pose, neutral=neutral
        )
        self.plain = paint_out_irises(picture, self.face.landmarks_px)
        self.irises = Irises(picture, self.face.landmarks_px)
        self.mouth = Mouth(picture, self.face)

    @property
    def at_rest(self) -> Target:
        """The face as it is in the photograph."""
        return Target(self.face.landmarks_px, self.face.pose)

    def draw_layers(self, canvas: NDArray[np.uint8], target: Target) -> None:
        """Draw mouth and irises on `canvas`, in place, for a face at `target`."""
        for patch in self.layers(target, canvas.shape[1], canvas.shape[0]):
            patch.draw(canvas)

    def layers(self, target: Target, width_px: int, height_px: int) -> list[Patch]:
        """What is laid over the warped skin of a picture of that size, in this order; at most three."""
        mouth = self.mouth.patch(target, width_px, height_px)
        turn = target.pose.rotation @ self.face.pose.rotation.T
        scale = target.pose.scale / self.face.pose.scale
        irises = self.irises.patches(target.landmarks_px, scale, turn, width_px, height_px)
        return irises if mouth is None else [mouth, *irises]


def scaled(reference: Reference, scale: float) -> Reference:
    """The same photograph at another size."""
    if abs(scale - 1) < 1e-6:
        return reference
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = np.asarray(cv2.resize(reference.picture, None, fx=scale, fy=scale, interpolation=how), np.uint8)
    return Reference(picture, (reference.landmarks_px * np.float32(scale)).astype(np.float32))

"""A puppet on its canvas at the output's size: what the render stage draws."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face.performance import Performance
from engine.face.safety import PuppetState, SafeMotion
from engine.live.frame import Frame
from engine.puppet.format import Puppet, Reference
from engine.render.canvas import fit_scale, surround
from engine.render.portrait import Portrait
from engine.track.tracker import Tracked


@dataclass(frozen=True, slots=True)
class Rendered:
    """What the puppet shows for a frame."""

    frame: Frame  # the canvas; index and time are those of the frame it answers
    state: PuppetState


def scaled(reference: Reference, scale: float) -> Reference:
    """The same photograph at another size."""
    if abs(scale - 1) < 1e-6:
        return reference
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = np.asarray(cv2.resize(reference.picture, None, fx=scale, fy=scale, interpolation=how), np.uint8)
    return Reference(picture, (reference.landmarks_px * np.float32(scale)).astype(np.float32))


class PortraitScene:
    """Mode `portrait`: the puppet's own picture is the canvas. Use it from one thread."""

    def __init__(self, puppet: Puppet, width_px: int, height_px: int, *, keep_expression: bool = False) -> None:
        """`keep_expression` takes the photograph's expression as the neutral one."""
        reference = scaled(puppet.references[0], fit_scale(puppet.references[0].picture, width_px, height_px))
        picture = np.ascontiguousarray(reference.picture[:height_px, :width_px])
        self._canvas, self._left, self._top = surround(picture, width_px, height_px)
        self._portrait = Portrait(picture, reference.landmarks_px, keep_expression=keep_expression)
        self._motion = SafeMotion()

    def draw(self, performance: Performance) -> NDArray[np.uint8]:
        """A new canvas (height, width, 3) with the puppet doing the performance."""
        picture, _ = self._portrait.draw(performance)
        canvas = self._canvas.copy()
        canvas[self._top : self._top + picture.shape[0], self._left : self._left + picture.shape[1]] = picture
        return canvas

    def __call__(self, tracked: Tracked) -> Rendered:
        """The render stage: the performer's own picture never gets through."""
        frame = tracked.frame
        performance, state = self._motion(tracked.performance, frame.captured_s)
        return Rendered(Frame(self.draw(performance), frame.index, frame.captured_s), state)

"""A puppet on its canvas at the output's size: what the render stage draws."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face import arkit
from engine.face import landmarks as lm
from engine.face.model import face_model
from engine.face.performance import HeadMotion, Performance
from engine.face.safety import PuppetState, SafeMotion
from engine.live.frame import Frame
from engine.puppet.format import Puppet, Reference
from engine.render.canvas import fit_scale, surround
from engine.render.generator import Networks
from engine.render.ladder import Step, measured_ladder
from engine.render.patch import Region
from engine.render.portrait import Portrait
from engine.render.quality import LADDER
from engine.track.tracker import Tracked

ROOM = 0.7  # how far around the photograph the head may move things, inter-ocular distances


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

    def __init__(
        self,
        puppet: Puppet,
        width_px: int,
        height_px: int,
        *,
        keep_expression: bool = False,
        absolute_pose: bool = False,
        networks: Networks | None = None,
    ) -> None:
        """`keep_expression` takes the photograph's expression as the neutral one, `absolute_pose` turns the head to where the
        performer's is; without `networks` it is the warp alone."""
        reference = scaled(puppet.references[0], fit_scale(puppet.references[0].picture, width_px, height_px))
        photograph = np.ascontiguousarray(reference.picture[:height_px, :width_px])
        self._canvas, left, top = surround(photograph, width_px, height_px)
        self._part = _with_room(reference, left, top, width_px, height_px)
        corner = np.array([left - self._part.left, top - self._part.top, 0], np.float32)
        picture = np.ascontiguousarray(self._part.of(self._canvas))
        self._portrait = Portrait(
            picture, reference.landmarks_px + corner, keep_expression=keep_expression, absolute_pose=absolute_pose,
            networks=networks,
        )  # fmt: skip
        self.runtime = "none" if networks is None else str(networks)
        self._motion = SafeMotion()
        self.quality = LADDER[0]  # may be set from another thread; the next picture is drawn so
        self._last_index: int | None = None

    def draw(self, performance: Performance) -> NDArray[np.uint8]:
        """A new canvas (height, width, 3) with the puppet doing the performance."""
        picture, _ = self._portrait.draw(performance, self.quality)
        if picture.shape == self._canvas.shape:
            return picture
        canvas = self._canvas.copy()
        self._part.of(canvas)[...] = picture
        return canvas

    def ladder(self) -> list[Step]:
        """The qualities that this machine has, measured with an open mouth and nothing kept of it."""
        talking = Performance(HeadMotion.still(), face_model().offsets(arkit.coefficients({"jawOpen": 0.3})))
        return measured_ladder(lambda quality: self._portrait.draw(talking, quality))

    def __call__(self, tracked: Tracked) -> Rendered:
        """The render stage: the performer's own picture never gets through."""
        self._last_index = tracked.frame.index
        return self._show(tracked.performance, tracked.frame.captured_s)

    def idle(self, now_s: float) -> Rendered | None:
        """What to show while no frame comes: the puppet comes to rest, as if the performer were lost."""
        return None if self._last_index is None else self._show(None, now_s)

    def _show(self, performance: Performance | None, now_s: float) -> Rendered:
        shown, state = self._motion(performance, now_s)
        return Rendered(Frame(self.draw(shown), self._last_index or 0, now_s), state)


def _with_room(reference: Reference, left: int, top: int, width_px: int, height_px: int) -> Region:
    """The part of the canvas that is redrawn: the photograph at `left`, `top`, and what the head may reach beyond it."""
    height, width = reference.picture.shape[:2]
    corners = np.array([[left, top], [left + width - 1, top + height - 1]], np.float32)
    part = Region.around(corners, ROOM * lm.inter_ocular(reference.landmarks_px), width_px, height_px)
    assert part is not None  # a photograph has more than two pixels
    return part

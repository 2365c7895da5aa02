"""Mode `portrait`: the puppet's own picture is the canvas; other photographs of it lend their face where they fit better."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.face.performance import Performance
from engine.face.pose import Pose
from engine.face.retarget import Target
from engine.names import BlendName
from engine.puppet.format import Puppet, Reference
from engine.render.blends import BLENDS, mixed
from engine.render.canvas import fit_scale, surround
from engine.render.colour import Statistics, table_between
from engine.render.face_layer import FaceLayer, face_mask
from engine.render.generator import Networks
from engine.render.patch import Region
from engine.render.photograph import Photograph, scaled
from engine.render.portrait import Portrait
from engine.render.quality import LADDER, Quality
from engine.render.references import Chooser, Look
from engine.render.view import Shown, talking
from kernels.match_colour.cpu import match_colour

ROOM: Final = 0.7  # how far around the photograph the head may move things, inter-ocular distances
INSET: Final = 0.04  # how far inside the contour another photograph's face ends, of its width
MARGIN: Final = 0.1  # around a face that is laid over, inter-ocular distances


class PortraitView:
    """See the top of this file. Use it from one thread."""

    def __init__(
        self,
        puppet: Puppet,
        width_px: int,
        height_px: int,
        *,
        keep_expression: bool = False,
        absolute_pose: bool = False,
        networks: Networks | None = None,
        blend: BlendName = "feather",
    ) -> None:
        """`keep_expression` takes the photograph's expression as the neutral one, `absolute_pose` turns the head to where the
        performer's is; without `networks` it is the warp alone."""
        reference = scaled(puppet.references[0], fit_scale(puppet.references[0].picture, width_px, height_px))
        photograph = np.ascontiguousarray(reference.picture[:height_px, :width_px])
        self.canvas, left, top = surround(photograph, width_px, height_px)
        self.part = _with_room(reference, left, top, width_px, height_px)
        corner = np.array([left - self.part.left, top - self.part.top, 0], np.float32)
        picture = np.ascontiguousarray(self.part.of(self.canvas))
        points = reference.landmarks_px + corner
        whole = Photograph(
            picture, points, keep_expression=keep_expression, absolute_pose=absolute_pose, neutral=puppet.neutral
        )
        self.portrait, self.networks = Portrait(whole, networks), networks
        self.blend: BlendName = blend
        self._others = [_Other(r, self.portrait, networks) for r in puppet.references[1:]]
        looks = [Look.of(self.portrait.face.shape, self.portrait.face.pose), *(other.look for other in self._others)]
        self._choose = Chooser(looks)

    @property
    def photographs(self) -> int:
        """How many it draws from."""
        return 1 + len(self._others)

    def draw(self, shown: Shown, quality: Quality = LADDER[0]) -> NDArray[np.uint8]:
        """A new canvas (height, width, 3) with the puppet doing the performance."""
        picture, target = self.portrait.draw(shown.performance, quality)
        if self._others:
            picture = self._with_others(picture, target, shown.now_s, quality)
        if picture.shape == self.canvas.shape:
            return picture
        canvas = self.canvas.copy()
        self.part.of(canvas)[...] = picture
        return canvas

    def rehearse(self, quality: Quality) -> None:
        """Draw an open mouth, of which nothing is kept."""
        self.portrait.draw(talking(), quality)

    def placed(self, performance: Performance) -> Target:
        """Where the face lies on the canvas while it does a performance."""
        target = self.portrait.face.retarget(performance)
        corner = np.array([self.part.left, self.part.top, 0], np.float32)
        pose = target.pose
        moved = Pose(pose.rotation, pose.translation + corner, pose.scale)
        return Target(target.landmarks_px + corner, moved)

    def _with_others(
        self, picture: NDArray[np.uint8], target: Target, now_s: float, quality: Quality
    ) -> NDArray[np.uint8]:
        plain = picture
        for number, share in self._choose(Look.of(target.pose.invert(target.landmarks_px), target.pose), now_s):
            over = plain
            if number > 0:
                over = self._others[number - 1].over(picture, target, self.blend, quality)
            picture = over if share >= 1 else mixed(picture, over, share)
        return picture


class _Other:
    """Another photograph of the puppet, in the first one's colours."""

    def __init__(self, reference: Reference, portrait: Portrait, networks: Networks | None) -> None:
        self._layer = FaceLayer(reference, networks, portrait.face.neutral)
        face, first = self._layer.face, portrait.photograph
        self.look = Look.of(face.shape, face.pose)
        own, wanted = (
            Statistics.of(p, face_mask(points, Region(0, 0, p.shape[1], p.shape[0]), INSET))
            for p, points in (
                (reference.picture, reference.landmarks_px), (first.picture, first.face.landmarks_px),
            )
        )  # fmt: skip
        self._table = None if own is None or wanted is None else table_between(own, wanted)

    def over(self, picture: NDArray[np.uint8], target: Target, blend: BlendName, quality: Quality) -> NDArray[np.uint8]:
        """The picture with this photograph's face at `target`."""
        unit = target.pose.scale
        height, width = picture.shape[:2]
        region = Region.around(target.landmarks_px[lm.OVAL], MARGIN * unit, width, height)
        if region is None:
            return picture
        drawn = self._layer.draw(target, region, quality)
        layer = drawn.bgr
        if self._table is not None:
            match_colour(layer, self._table, layer)
        mask = face_mask(target.landmarks_px, region, INSET)
        mask[~drawn.covered] = 0
        result = picture.copy()
        canvas = np.ascontiguousarray(region.of(picture))
        region.of(result)[...] = BLENDS[blend](canvas, layer, mask, unit)
        return result


def _with_room(reference: Reference, left: int, top: int, width_px: int, height_px: int) -> Region:
    """The part of the canvas that is redrawn: the photograph at `left`, `top`, and what the head may reach beyond it."""
    height, width = reference.picture.shape[:2]
    corners = np.array([[left, top], [left + width - 1, top + height - 1]], np.float32)
    part = Region.around(corners, ROOM * lm.inter_ocular(reference.landmarks_px), width_px, height_px)
    assert part is not None  # a photograph has more than two pixels
    return part

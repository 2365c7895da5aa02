"""Mode `swap`: the canvas is the performer's own picture, with the puppet's face on it, and in front what was in front.

Nirkin et al., "FSGAN: Subject Agnostic Face Swapping and Reenactment", ICCV 2019: reenact, complete, blend. The puppet's face
takes the performer's pose and expression and, towards its contour, the performer's shape; it is lit and coloured as the
performer's is. While no face is found, the performer's picture never leaves: the last swapped one stays, then the puppet's
own portrait comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.curves import smoothstep
from engine.face import landmarks as lm
from engine.face.gesture import HandPoints
from engine.face.light import Light, fit_light, ratio, vertex_normals
from engine.face.performance import Performance
from engine.face.pose import Pose, fit_head
from engine.face.reference import reference_face
from engine.face.retarget import PuppetFace, Target
from engine.face.safety import PuppetState
from engine.names import BlendName
from engine.puppet.format import Puppet, Reference
from engine.render.blends import BLENDS, Picture, feathered, mixed
from engine.render.canvas import fit_scale
from engine.render.colour import ColourMatch, Statistics, evenly_lit
from engine.render.face_layer import FaceLayer, bare_skin, face_mask, local_target
from engine.render.generator import Networks
from engine.render.head_mesh import skin_triangles
from engine.render.occlusion import Occlusion
from engine.render.patch import Region
from engine.render.portrait_view import PortraitView
from engine.render.quality import LADDER, Quality
from engine.render.references import Chooser, Look
from engine.render.view import Shown, talking
from engine.track.tracker import Tracked
from kernels.composite.cpu import composite
from kernels.match_colour.cpu import match_colour
from kernels.warp_mesh.cpu import warp_mesh

MARGIN: Final = 0.25  # around the face, inter-ocular distances
SURROUNDINGS: Final = 0.6  # likewise where it is drawn smaller, for the occlusion network to see
IDENTITY_FROM, IDENTITY_ALL = 0.06, 0.45  # way in from the contour over which the puppet takes over, likewise
INSET: Final = 0.03  # how far inside the contour the puppet's face ends, of its width
SAMPLE_PX: Final = 72  # so many pixels of a side are enough to measure colours on
SETTLING_S: Final = 0.5  # over which the light follows a change
FADE_S: Final = 0.4  # to the portrait and back where something but a face performs
FRONT: Final = 64  # of 255: from where on something counts as in front
LIGHT_PX: Final = 64  # side of the map of light, which is smooth


class SwapView:
    """See the top of this file. Use it from one thread."""

    def __init__(
        self,
        puppet: Puppet,
        width_px: int,
        height_px: int,
        *,
        networks: Networks | None = None,
        occlusion: Occlusion | None = None,
        mirrored: bool = False,
        blend: BlendName = "feather",
    ) -> None:
        """Without `occlusion` what is in front of the face is covered by the puppet's. `mirrored`: the picture is the performer's
        mirror image, as the performances are."""
        self.blend: BlendName = blend
        self._size = (width_px, height_px)
        self._still = PortraitView(puppet, width_px, height_px, networks=networks)
        self._occlusion, self._mirrored = occlusion, mirrored
        first = PuppetFace(puppet.references[0].landmarks_px, neutral=puppet.neutral)
        self._faces = [_Face(reference, networks, first.neutral) for reference in puppet.references]
        self._faces += [
            _Face(mirrored_reference(reference), networks, mirrored_shape(first.neutral))
            for reference in puppet.references
        ]
        self._choose = Chooser([face.look for face in self._faces])
        self._colour, self._at_s = ColourMatch(), 0.0
        self._light: Light | None = None
        self._last: Picture | None = None  # the last swapped picture
        self._share = 1.0  # of the swapped picture, beside the portrait
        self._faded_s = 0.0  # when that was last changed

    def draw(self, shown: Shown, quality: Quality = LADDER[0]) -> Picture:
        """A new canvas (height, width, 3)."""
        seen, live = shown.tracked, shown.state is PuppetState.LIVE
        placed = live and seen is not None and seen.pose is not None
        if placed and seen is not None:
            self._last = self._swapped(seen, shown.performance, shown.now_s, quality)
        if live:
            self._fade(placed, shown.now_s)
        share = self._share if shown.state is PuppetState.HELD else min(self._share, shown.presence)
        if self._last is not None and share >= 1:
            return self._last.copy()
        still = self._still.draw(shown, quality)
        if self._last is None or share <= 0:
            return still
        return mixed(still, self._last, share)

    def _fade(self, placed: bool, now_s: float) -> None:
        """Towards the swapped picture, or where something is performed without a face, as by sound, towards the portrait."""
        moved = float(np.clip((now_s - self._faded_s) / FADE_S, 0, 1))
        self._share = min(1.0, self._share + moved) if placed else max(0.0, self._share - moved)
        self._faded_s = now_s

    def rehearse(self, quality: Quality) -> None:
        """Swap an open mouth on to the puppet's own portrait, which is all that is kept of it."""
        performance, (picture, placed) = talking(), self._rehearsed
        kept = (self._colour, self._light, self._at_s)
        self._colour = ColourMatch()
        put = self._put_small if quality.share < 1 else self._put
        put(picture.copy(), placed, performance, 0.0, quality)
        self._colour, self._light, self._at_s = kept
        if self._occlusion is not None:
            self._occlusion.forget()

    @cached_property
    def _rehearsed(self) -> tuple[Picture, Target]:
        """What stands for a performer: a picture, and where its face is."""
        return self._still.draw(Shown(talking(), 0.0)), self._still.placed(talking())

    def _swapped(self, seen: Tracked, performance: Performance, now_s: float, quality: Quality) -> Picture:
        assert seen.landmarks_px is not None and seen.pose is not None
        canvas, scale, corner = _contained(seen.frame.bgr, *self._size)
        points = (seen.landmarks_px * np.float32(scale) + corner).astype(np.float32)
        pose = Pose(seen.pose.rotation, seen.pose.translation * np.float32(scale) + corner, seen.pose.scale * scale)
        hands = [(hand * np.float32(scale) + corner).astype(np.float32) for hand in seen.hands]
        if self._mirrored:
            flipped = mirrored_reference(Reference(canvas, points))
            canvas, points = flipped.picture, flipped.landmarks_px
            pose = fit_head(reference_face().mean, points)
            hands = []  # a second opinion that is not worth a second way
        if quality.share < 1:
            return self._put_small(canvas, Target(points, pose), performance, now_s, quality, hands)
        return self._put(canvas, Target(points, pose), performance, now_s, quality, hands)

    def _put_small(
        self,
        canvas: Picture,
        face: Target,
        performance: Performance,
        now_s: float,
        quality: Quality,
        hands: Sequence[HandPoints] = (),
    ) -> Picture:
        """As `_put`, in fewer pixels, which are enlarged over the face alone."""
        unit = face.pose.scale
        region = Region.around(face.landmarks_px[lm.OVAL], SURROUNDINGS * unit, canvas.shape[1], canvas.shape[0])
        if region is None:
            return canvas
        here, part = local_target(face, region), np.ascontiguousarray(region.of(canvas))
        small = np.asarray(cv2.resize(part, None, fx=quality.share, fy=quality.share, interpolation=cv2.INTER_AREA))
        factor = np.float32(quality.share)
        pose = Pose(here.pose.rotation, here.pose.translation * factor, here.pose.scale * quality.share)
        corner = np.array([region.left, region.top, 0], np.float32)
        near = [((hand - corner) * factor).astype(np.float32) for hand in hands]
        done = self._put(small, Target(here.landmarks_px * factor, pose), performance, now_s, quality, near)
        large = cv2.resize(done, (region.width, region.height), interpolation=cv2.INTER_LINEAR)
        matte = feathered(face_mask(face.landmarks_px, region, INSET), unit / 3)
        composite(canvas, np.asarray(large, np.uint8), matte, region.left, region.top)
        return canvas

    def _put(
        self,
        canvas: Picture,
        face: Target,
        performance: Performance,
        now_s: float,
        quality: Quality,
        hands: Sequence[HandPoints] = (),
    ) -> Picture:
        """The puppet's face in the place of `face`, in place."""
        unit = face.pose.scale
        region = Region.around(face.landmarks_px[lm.OVAL], MARGIN * unit, canvas.shape[1], canvas.shape[0])
        if region is None:
            return canvas
        picture = np.ascontiguousarray(region.of(canvas))
        front = None if self._occlusion is None else self._occlusion(canvas, face, region, hands)
        light = self._lit(canvas, face, now_s)
        layer: Picture | None = None
        for number, share in self._choose(Look.of(face.pose.invert(face.landmarks_px), face.pose), now_s):
            over = self._faces[number].draw(face, performance, region, light, quality)
            layer = over if layer is None or share >= 1 else mixed(layer, over, share)
        assert layer is not None
        mask = face_mask(face.landmarks_px, region, INSET)
        seen = mask & ~_hidden(picture, front)
        layer = self._coloured(layer, picture, seen, now_s)
        layer = evenly_lit(layer, picture, bare_skin(seen, local_target(face, region)), unit)
        if front is not None:
            under = _without(picture, layer, front, mask)
            blended = BLENDS[self.blend](under, layer, mask, unit)
            blended = _over(blended, picture, front)
        else:
            blended = BLENDS[self.blend](picture, layer, mask, unit)
        region.of(canvas)[...] = blended
        self._at_s = now_s
        return canvas

    def _lit(self, canvas: Picture, face: Target, now_s: float) -> Light:
        """The light on the performer, damped."""
        found = fit_light(canvas, face.landmarks_px)
        share = 1 - float(np.exp(-max(0.0, now_s - self._at_s) / SETTLING_S))
        if self._light is not None:
            before = self._light.harmonics
            found = Light(before + np.float32(share) * (found.harmonics - before))
        self._light = found
        return found

    def _coloured(self, layer: Picture, picture: Picture, seen: Picture, now_s: float) -> Picture:
        """The puppet's face in the performer's colours, measured where both are `seen`."""
        step = max(1, min(seen.shape) // SAMPLE_PX)
        small = [np.ascontiguousarray(p[::step, ::step]) for p in (layer, picture, seen)]
        of, to = (Statistics.of(p, small[2]) for p in small[:2])
        result = np.empty_like(layer)
        match_colour(layer, self._colour(of, to, now_s), result)
        return result


class _Face:
    """One photograph of the puppet, ready to be put on somebody."""

    def __init__(self, reference: Reference, networks: Networks | None, neutral: lm.Points) -> None:
        self._layer = FaceLayer(reference, networks, neutral)
        face = self._layer.face
        self.look = Look.of(face.shape, face.pose)
        self._light = fit_light(reference.picture, reference.landmarks_px)
        self._normals = vertex_normals(reference.landmarks_px)

    def draw(self, face: Target, performance: Performance, region: Region, light: Light, quality: Quality) -> Picture:
        """(height, width, 3) of the region, lit by `light`."""
        target = swap_target(face, self._layer.face.shape_of(performance.offsets))
        drawn = self._layer.draw(target, region, quality)
        gain = ratio(self._light, self._normals, light, vertex_normals(target.landmarks_px))
        shape = gain / gain.mean()  # how bright it is, the match of colours decides
        return _shaded(drawn.bgr, shape, local_target(target, region))


def swap_target(face: Target, puppet_shape: lm.Points) -> Target:
    """Where a puppet's face of canonical `puppet_shape` (478, 3) goes on a performer's: the performer's contour, and within it
    more and more of the puppet's own proportions."""
    own = face.pose.invert(face.landmarks_px)
    shape = own + inwards()[:, None] * (puppet_shape - own)
    return Target(face.pose.apply(shape.astype(np.float32)), face.pose)


@cache
def inwards() -> NDArray[np.float32]:
    """(478,) 0 on the contour of the face, 1 well inside it."""
    mean = reference_face().mean
    away = np.linalg.norm(mean[:, None, :2] - mean[None, lm.OVAL, :2], axis=2).min(1)
    return smoothstep(((away - IDENTITY_FROM) / (IDENTITY_ALL - IDENTITY_FROM)).astype(np.float32))


def mirrored_reference(reference: Reference) -> Reference:
    """The photograph as a mirror shows it: completes what it hides of a side."""
    points = reference.landmarks_px[reference_face().mirror].copy()
    points[:, 0] = reference.picture.shape[1] - 1 - points[:, 0]
    return Reference(np.ascontiguousarray(reference.picture[:, ::-1]), points)


def mirrored_shape(shape: lm.Points) -> lm.Points:
    """A canonical shape (478, 3) as a mirror shows it."""
    return (shape[reference_face().mirror] * np.array([-1, 1, 1], np.float32)).astype(np.float32)


def _shaded(picture: Picture, gain: NDArray[np.float32], here: Target) -> Picture:
    """A region's picture with the gain (468,) of the skin's points spread over it."""
    height, width = picture.shape[:2]
    factor = np.array([LIGHT_PX / width, LIGHT_PX / height, 1], np.float32)
    backward, depth = np.empty((LIGHT_PX, LIGHT_PX, 2), np.float32), np.empty((LIGHT_PX, LIGHT_PX), np.float32)
    values = np.repeat(gain[:, None], 2, axis=1).astype(np.float32)
    warp_mesh(here.landmarks_px[: lm.SKIN_COUNT] * factor, values, skin_triangles(), backward, depth)
    spread = np.where(np.isfinite(depth), backward[..., 0], np.float32(np.median(gain)))
    smooth = cv2.resize(cv2.GaussianBlur(spread, (0, 0), 2), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.multiply(picture, cv2.merge([smooth] * 3), dtype=cv2.CV_8U), np.uint8)


def _contained(bgr: Picture, width_px: int, height_px: int) -> tuple[Picture, float, NDArray[np.float32]]:
    """A camera's picture at the output's size, whole, on black; its scale, and its corner (3,) px."""
    if bgr.shape[:2] == (height_px, width_px):
        return bgr.copy(), 1.0, np.zeros(3, np.float32)
    scale = fit_scale(bgr, width_px, height_px)
    width, height = min(width_px, round(bgr.shape[1] * scale)), min(height_px, round(bgr.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((height_px, width_px, 3), np.uint8)
    left, top = (width_px - width) // 2, (height_px - height) // 2
    canvas[top : top + height, left : left + width] = cv2.resize(bgr, (width, height), interpolation=how)
    return canvas, scale, np.array([left, top, 0], np.float32)


def _hidden(picture: Picture, front: Picture | None) -> Picture:
    """(height, width): 255 where no face is seen: behind what is in front, and in black bars beside a camera's picture."""
    bars = np.asarray(cv2.inRange(picture, np.zeros(3), np.zeros(3)), np.uint8)
    return bars if front is None else bars | np.where(front > FRONT, np.uint8(255), np.uint8(0))


def _without(picture: Picture, layer: Picture, front: Picture, mask: Picture) -> Picture:
    """The picture with the layer where something is in front of the face within `mask`, so that its colours don't run into it."""
    near = cv2.dilate(front, np.ones((5, 5), np.uint8))
    return _over(picture, layer, np.minimum(near, mask))


def _over(below: Picture, over: Picture, matte: Picture) -> Picture:
    result = below.copy()
    composite(result, over, matte, 0, 0)
    return result

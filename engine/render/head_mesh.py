"""The mesh that is warped: the face, rings around the head that follow it, and the fixed rim of the picture.

Face points take their retargeted place. Ring points turn with the head as points of a rounded skull would, with a
weight that falls from 1 at hair and ears to 0 at the rim; below the chin it falls sooner, so that the neck follows and
the shoulders stay. What the contour does beside the head's pose, above all a jaw that drops, the skin around it does
too, less and less outwards. The mesh fills the picture and its rim is fixed, so `warp_mesh` covers every pixel.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.curves import smoothstep
from engine.face import landmarks as lm
from engine.face.pose import Pose
from engine.face.reference import reference_face

RINGS = 8
RIM_MARGIN = 0.08  # how far the rim keeps from the face contour at least, inter-ocular distances
SKULL_DEPTH = 0.05  # canonical z at the head's silhouette: just behind the axis of the neck
HEAD_REACH = (0.62, 0.36, 0.02)  # how far hair, ears and chin reach beyond the contour: up, sideways, down
ROUNDING = (0.65, 0.45, 0.25)  # over which distance the contour rounds off to SKULL_DEPTH, likewise
SMALLEST_TRIANGLE = 3e-4  # area in the photograph, squared inter-ocular distances: smaller ones count as hidden
STEEPEST = 2.5  # depth by distance in the photograph, at the face's sides: steeper skin has too few pixels to be turned
PATH_STEPS = 8  # edges from the front of the face to its contour
CONTOUR_SMOOTHING = np.array([1, 2, 3, 4, 3, 2, 1], np.float32) / 16  # of how far the contour's points come forward
SIDE_DEPTH = -0.5  # canonical z behind which a point belongs to the sides
NOSE_WING_REACH, NOSE_ROUNDS = 0.16, 12
LID_RIM = (0.03, 0.17)  # width of the wet rim of the upper and lower lid, in eye heights
SKIN_REACH = (0.2, 0.2, 1.1)  # how far beyond the contour skin goes with cheeks and jaw, likewise; down it is the neck
ROOMY, TIGHT = 0.35, 0.6  # share of that reach up to which skin yields softly, and from which on evenly
FALL_OFF = 2.2  # at most so far from the head does anything still move


def _patch(upper: list[int], lower: list[int]) -> list[tuple[int, int, int]]:
    """Triangles between two chains of points that share their ends."""
    triangles = []
    for (a, b), (c, d) in zip(pairwise(upper), pairwise(lower), strict=True):
        triangles += [(a, b, d), (a, d, c)]
    return [t for t in triangles if len(set(t)) == 3]


def _holes() -> list[tuple[int, int, int]]:
    """Triangles that close the mesh's holes at eyes and mouth, facing the camera."""
    found = []
    for contour, last in ((lm.EYE_LEFT, 8), (lm.EYE_RIGHT, 8), (lm.LIPS_INNER, 10)):
        walk = contour.tolist()
        upper, lower = walk[: last + 1], [walk[0], *reversed(walk[last:])]
        leftwards = contour is lm.EYE_RIGHT
        found += _patch(upper[::-1], lower[::-1]) if leftwards else _patch(upper, lower)
    return found


@cache
def skin_triangles() -> NDArray[np.int32]:
    """(m, 3): the face's mesh with its holes at eyes and mouth closed."""
    return np.concatenate([reference_face().triangles, np.array(_holes(), np.int32)])


@cache
def _edges() -> NDArray[np.int32]:
    """(m, 2): the edges of the face's triangles, walked around each; those inside of the mesh come once in each direction."""
    triangles = reference_face().triangles
    return np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])


def _neighbour_mean(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean of each skin point's neighbours in the mesh, for (468, 3) points."""
    edges = _edges()
    degree = np.bincount(edges[:, 0], minlength=lm.SKIN_COUNT)
    total = [np.bincount(edges[:, 0], points[edges[:, 1], axis], lm.SKIN_COUNT) for axis in range(3)]
    return (np.stack(total, axis=1) / np.maximum(degree, 1)[:, None]).astype(np.float32)


def _nose_wings() -> NDArray[np.bool_]:
    mean = reference_face().mean[: lm.SKIN_COUNT, :2]
    away = np.linalg.norm(mean[:, None] - mean[None, [129, 358, 64, 294]], axis=2).min(1)
    return away < NOSE_WING_REACH


def relaxed(points_px: lm.Points, smallest_px2: float) -> lm.Points:
    """Positions (468, 3) of the skin points with less relief where one photograph can't show it.

    The wings of the nose hide triangles of their own, whose texture is the dark crease: their depth is evened out, so
    that the crease stays closed. Elsewhere, at ears and cheeks of a turned face, the vertices of hidden triangles move
    to the middle of their neighbours until every triangle faces the camera. Points of contours that others rely on stay.
    """
    triangles = reference_face().triangles
    result = points_px[: lm.SKIN_COUNT].astype(np.float32).copy()
    wings = _nose_wings()
    for _ in range(NOSE_ROUNDS):
        result[wings, 2] = _neighbour_mean(result)[wings, 2]
    fixed = wings.copy()
    fixed[np.concatenate([lm.OVAL, lm.LIPS_INNER, lm.LIPS_OUTER, lm.EYE_LEFT, lm.EYE_RIGHT])] = True
    for _ in range(60):
        a, b, c = (result[triangles[:, i]] for i in range(3))
        area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
        hidden = np.zeros(lm.SKIN_COUNT, bool)
        hidden[triangles[area < smallest_px2]] = True
        hidden &= ~fixed
        if not hidden.any():
            break
        result[hidden] += 0.5 * (_neighbour_mean(result) - result)[hidden]
    return result


def rolled_lids(source_px: NDArray[np.float32], landmarks_px: lm.Points, scale: float) -> NDArray[np.float32]:
    """Where vertices (n, 2) px read for a face at `landmarks_px` (478, 3): as an eye closes, its skin starts outside of the
    lid's wet rim. `scale`: the source's size over the face's."""
    result = source_px.copy()
    for contour, pairs in ((lm.EYE_LEFT, lm.LID_PAIRS_LEFT), (lm.EYE_RIGHT, lm.LID_PAIRS_RIGHT)):
        down = source_px[contour[12]] - source_px[contour[4]]
        gap = np.linalg.norm(landmarks_px[contour[12], :2] - landmarks_px[contour[4], :2])
        closed = 1 - min(1.0, float(gap) * scale / max(float(np.linalg.norm(down)), 1e-3))
        result[pairs[:, 0]] -= np.float32(LID_RIM[0] * closed) * down
        result[pairs[:, 1]] += np.float32(LID_RIM[1] * closed) * down
    return result


def _with_gentle_sides(skin_px: lm.Points) -> lm.Points:
    """The skin (468, 3) with the face's sides no steeper than `STEEPEST`: points come forward to where a path over the mesh from
    the front of the face leads at most, those of the contour as far as their neighbours on it."""
    start, end = np.concatenate([_edges(), _edges()[:, ::-1]]).T
    rise = STEEPEST * np.linalg.norm(skin_px[start, :2] - skin_px[end, :2], axis=1)
    sides = reference_face().mean[: lm.SKIN_COUNT, 2] > SIDE_DEPTH
    deepest = skin_px[:, 2].copy()
    for _ in range(PATH_STEPS):
        reached = deepest.copy()
        np.minimum.at(reached, end, (deepest[start] + rise).astype(np.float32))
        deepest[sides] = reached[sides]
    shift = deepest[lm.OVAL] - skin_px[lm.OVAL, 2]
    around = len(CONTOUR_SMOOTHING) // 2
    deepest[lm.OVAL] = skin_px[lm.OVAL, 2] + np.convolve(np.pad(shift, around, "wrap"), CONTOUR_SMOOTHING, "valid")
    return np.column_stack([skin_px[:, :2], deepest]).astype(np.float32)


class HeadMesh:
    """Mesh over one photograph of a puppet."""

    def __init__(self, landmarks_px: lm.Points, pose: Pose, width_px: int, height_px: int) -> None:
        """`landmarks_px` (478, 3) and `pose` of the photograph, whose size is `width_px` by `height_px`."""
        self._pose = pose
        unit = pose.scale
        oval = landmarks_px[lm.OVAL]
        centre = oval[:, :2].mean(0)
        outward = oval[:, :2] - centre
        outward = outward / np.linalg.norm(outward, axis=1, keepdims=True)
        to_rim = np.maximum(self._to_rim(oval[:, :2], outward, width_px, height_px), RIM_MARGIN * unit)
        share = ((np.arange(1, RINGS + 1) / RINGS) ** 1.4).astype(np.float32)
        distance = share[:, None] * to_rim[None]  # (rings, 36) px
        skin = _with_gentle_sides(relaxed(landmarks_px, SMALLEST_TRIANGLE * unit**2))
        self._contour_shape = pose.invert(oval)
        turned = outward @ pose.rotation[:2, :2]
        self._outward = turned / np.linalg.norm(turned, axis=1, keepdims=True)  # (36, 2), canonical
        self._skin_reach = np.minimum(self._by_direction(outward, SKIN_REACH), to_rim / unit)
        self._away = np.minimum(distance / unit / self._skin_reach, 1)  # (rings, 36), of that reach
        flat = oval[None, :, :2] + distance[..., None] * outward[None]
        self._weights, depth = self._follow(pose.invert(skin[lm.OVAL])[:, 2], outward, distance / unit, to_rim / unit)
        rings_px = self._lift(flat.reshape(-1, 2), depth.reshape(-1))
        self._rings_px = rings_px
        self._rings_shape = pose.invert(rings_px)
        self._nudge = (skin - landmarks_px[: lm.SKIN_COUNT]) @ pose.rotation / np.float32(unit)  # canonical
        self.source_px: NDArray[np.float32] = np.concatenate([skin, rings_px])[:, :2].astype(np.float32)
        self.triangles = self._triangles()

    @staticmethod
    def _to_rim(start: lm.Points, outward: lm.Points, width_px: int, height_px: int) -> NDArray[np.float32]:
        """Distance from each start to the picture's edge along its direction, px; negative outside."""
        edge = np.where(outward > 0, np.array([width_px - 1, height_px - 1]), 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.where(np.abs(outward) > 1e-6, (edge - start) / outward, np.inf)
        return steps.min(1).astype(np.float32)

    def _follow(
        self,
        contour_depth: NDArray[np.float32],
        outward: lm.Points,
        distance: NDArray[np.float32],
        to_rim: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weight (0 to 1) and canonical z of ring points at `distance` (rings, 36) beyond the contour."""
        reach = np.minimum(self._by_direction(outward, HEAD_REACH), 0.6 * to_rim)
        end = np.minimum(to_rim, reach + FALL_OFF)
        weights = 1 - smoothstep((distance - reach) / np.maximum(end - reach, 1e-3))
        rounding = self._by_direction(outward, ROUNDING)
        falling = 1 - smoothstep(distance / rounding)
        depth = SKULL_DEPTH + (contour_depth[None] - SKULL_DEPTH) * falling + 0.05 * distance
        weights[-1] = 0
        return weights.reshape(-1, 1).astype(np.float32), depth.astype(np.float32)

    def _with_skin(self, beside: NDArray[np.float32]) -> NDArray[np.float32]:
        """(rings, 36, 1): how much of what the contour does `beside` the head's pose, canonical (36, 3), ring points do.

        Softly less and less outwards; where the contour comes far, evenly, or the neck would vanish at one line under the chin.
        """
        pushed = (beside[:, :2] * self._outward).sum(1) / self._skin_reach
        evenly = smoothstep((pushed - ROOMY) / (TIGHT - ROOMY))
        softly = 1 - smoothstep(self._away)
        weights: NDArray[np.float32] = softly + evenly * (1 - self._away - softly)
        return weights[..., None]

    def _by_direction(self, outward: lm.Points, values: tuple[float, float, float]) -> NDArray[np.float32]:
        """(36,): a mixture of what holds upwards, sideways and downwards of the head."""
        turned = outward @ self._pose.rotation[:2, :2]
        up, down = np.clip(-turned[:, 1], 0, 1) ** 2, np.clip(turned[:, 1], 0, 1) ** 2
        mixture: NDArray[np.float32] = up * values[0] + (1 - up - down) * values[1] + down * values[2]
        return mixture

    def _lift(self, flat_px: NDArray[np.float32], depth: NDArray[np.float32]) -> lm.Points:
        """Picture positions (n, 2) px and canonical z (n,) to points (n, 3) px."""
        r = self._pose.rotation
        seen = (flat_px - self._pose.translation[:2]) / self._pose.scale
        towards = (depth - seen @ r[:2, 2]) / r[2, 2]
        z_px = towards * self._pose.scale + self._pose.translation[2]
        return np.concatenate([flat_px, z_px[:, None]], axis=1).astype(np.float32)

    @staticmethod
    def _triangles() -> NDArray[np.int32]:
        count = len(lm.OVAL)
        rows = [lm.OVAL.tolist()]
        rows += [list(range(lm.SKIN_COUNT + r * count, lm.SKIN_COUNT + (r + 1) * count)) for r in range(RINGS)]
        strips = [
            triangle
            for inner, outer in pairwise(rows)
            for i in range(count)
            for triangle in (
                (inner[i], outer[i], outer[(i + 1) % count]),
                (inner[i], outer[(i + 1) % count], inner[(i + 1) % count]),
            )
        ]
        return np.concatenate([skin_triangles(), np.array(strips, np.int32)])

    def source(self, landmarks_px: lm.Points, pose: Pose) -> NDArray[np.float32]:
        """Where in the photograph the vertices (n, 2) px read for a face at `landmarks_px` (478, 3).

        As an eye closes, its skin starts further and further outside of the lid's wet rim: shut lids show no white line.
        """
        return rolled_lids(self.source_px, landmarks_px, self._pose.scale / pose.scale)

    def place(self, landmarks_px: lm.Points, pose: Pose, *, whole: bool = False) -> lm.Points:
        """Vertices (n, 3) px for a face at `landmarks_px` (478, 3) whose head stands at `pose`. `whole`: all rings go where the
        head goes, as where it is laid over another picture."""
        moved = pose.apply(self._rings_shape)
        rings = moved if whole else self._rings_px + self._weights * (moved - self._rings_px)
        beside = landmarks_px[lm.OVAL] - pose.apply(self._contour_shape)
        weights = self._with_skin(beside @ pose.rotation / np.float32(pose.scale))
        rings = rings + (weights * beside).reshape(-1, 3)
        skin = landmarks_px[: lm.SKIN_COUNT] + np.float32(pose.scale) * self._nudge @ pose.rotation.T
        return np.concatenate([skin, rings]).astype(np.float32)

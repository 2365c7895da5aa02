"""The mean face of photographs: triangles, mirror partners and Procrustes mean on FaceMesh's points."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
from mediapipe.python.solutions.face_mesh_connections import FACEMESH_TESSELATION
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.face.pose import fit_similarity

MIRROR_ROUNDS, STRANGE_NEIGHBOUR = 8, 0.02  # what a neighbour that is no partner costs, inter-ocular distances
HEAD_CENTRE = np.array([0.0, 0.30, 0.75], np.float32)  # from between the eyes, in inter-ocular distances


def triangles_of(edges: frozenset[tuple[int, int]], points: lm.Points) -> NDArray[np.int32]:
    """Triangles of a planar mesh given by its edges, all turning the same way in `points` (n, 3) seen from the front.

    They are the 3-cycles of the graph, less the few that enclose other triangles: each of their edges has three.
    """
    near: dict[int, set[int]] = {}
    for a, b in edges:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    cycles = sorted({tuple(sorted((a, b, c))) for a in near for b in near[a] for c in near[a] & near[b]})
    uses = Counter(edge for cycle in cycles for edge in combinations(cycle, 2))
    faces = [c for c in cycles if any(uses[edge] < 3 for edge in combinations(c, 2))]
    return np.array([_front_facing(points, face) for face in faces], np.int32)


def _area(points: lm.Points, a: int, b: int, c: int) -> float:
    (ax, ay), (bx, by), (cx, cy) = points[[a, b, c], :2].astype(float)
    return float((bx - ax) * (cy - ay) - (cx - ax) * (by - ay))


def _front_facing(points: lm.Points, triangle: tuple[int, ...]) -> tuple[int, ...]:
    a, b, c = triangle
    return triangle if _area(points, a, b, c) > 0 else (a, c, b)


def _upright(points: lm.Points) -> lm.Points:
    """Rotate so that the pairs of the two sides lie along x; the pitch stays the photographs'."""
    across = points[[263, 362, 291, 454, 356]] - points[[33, 133, 61, 234, 127]]
    x = across.mean(0) / np.linalg.norm(across.mean(0))
    y = np.array([0.0, 1.0, 0.0]) - x[1] * x
    y /= np.linalg.norm(y)
    centre = points[[33, 263, 133, 362]].mean(0)
    return (points - centre) @ np.stack([x, y, np.cross(x, y)]).T


def mirror_of(points: lm.Points, triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """For each point of an upright face the one on its other side: the nearest to its reflection, where lips and lids lie
    close together the one whose neighbours in the mesh are the partners of its own."""
    away = np.linalg.norm(
        points[None] - points[:, None] * np.array([-1, 1, 1]), axis=2
    )  # [p, c]: p's reflection from c
    beside = np.zeros((len(points), len(points)), bool)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        beside[triangles[:, a], triangles[:, b]] = beside[triangles[:, b], triangles[:, a]] = True
    partner = away.argmin(1)
    for _ in range(MIRROR_ROUNDS):
        kept = np.stack([beside[partner[row]].sum(0) for row in beside])
        partner = (away + STRANGE_NEIGHBOUR * (beside.sum(1)[:, None] - kept)).argmin(1)
    if not np.array_equal(partner[partner], np.arange(len(points))):
        raise ValueError("the mesh has no mirror image of itself")
    return partner.astype(np.int32)


def mirrored(points: lm.Points, partner: NDArray[np.int32]) -> lm.Points:
    """Points (or displacements) reflected about x = 0."""
    return points[partner] * np.array([-1, 1, 1], np.float32)


def procrustes_mean(faces: lm.Points) -> lm.Points:
    """Generalised Procrustes mean of (k, 478, 3) landmarks on the rigid points, upright, inter-ocular distance 1."""
    mean = _upright(faces[0] / lm.inter_ocular(faces[0]))
    for _ in range(6):
        shapes = np.stack([fit_similarity(f[lm.RIGID], mean[lm.RIGID]).apply(f) for f in faces])
        mean = _upright(shapes.mean(0) / lm.inter_ocular(shapes.mean(0)))
    return mean


def shapes_of(faces: lm.Points, mean: lm.Points) -> lm.Points:
    """(k, 478, 3) px landmarks into the canonical frame of `mean`."""
    return np.stack([fit_similarity(mean[lm.RIGID], f[lm.RIGID]).invert(f) for f in faces])


def mean_face(train: Path) -> tuple[lm.Points, NDArray[np.int32], NDArray[np.int32]]:
    """Symmetric mean (478, 3) of the neutral adults in the folder `train`, in the canonical frame; triangles (852, 3); and
    the partner (478,) of each point on the other side."""
    neutral = []
    for folder in ("stills_london", "stills_canada"):
        table = np.load(train / folder / "landmarks.npz", allow_pickle=False)
        neutral += [p for n, p in zip(table["names"], table["landmarks_px"], strict=True) if "_08" not in str(n)]
    mean = procrustes_mean(np.stack(neutral).astype(np.float32))
    triangles = triangles_of(FACEMESH_TESSELATION, mean)
    partner = mirror_of(mean, triangles)
    mean = (mean + mirrored(mean, partner)) / 2
    return (mean / lm.inter_ocular(mean) - HEAD_CENTRE).astype(np.float32), triangles, partner

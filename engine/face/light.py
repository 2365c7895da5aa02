"""The light on a face: second-order spherical harmonics over the face's mesh.

Ramamoorthi & Hanrahan, "An Efficient Representation for Irradiance Environment Maps", SIGGRAPH 2001: nine numbers say how a matt
surface is lit from anywhere. As in Face2Face (Thies et al., CVPR 2016, section 3), with one albedo for all skin: what is wanted
are ratios of two lights on one surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.face.reference import reference_face

ROUNDS: Final = 3  # of reweighting
RIDGE: Final = (0.0, *[0.02] * 3, *[0.1] * 5)  # by order: a face shows too little of its sides for strong second ones
LEAST, MOST = 0.7, 1.4  # of a ratio: one albedo for all skin is only so true


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """How bright skin is by the direction in which it faces."""

    harmonics: NDArray[np.float32]  # (9,), luma of 0 to 255

    def shade(self, normals: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n,) luma of skin that faces `normals` (n, 3)."""
        result: NDArray[np.float32] = basis(normals) @ self.harmonics
        return result


def basis(normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 9): the harmonics at unit vectors (n, 3), without their constant factors."""
    x, y, z = normals.T
    return np.stack([np.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], axis=1)


def vertex_normals(points_px: lm.Points) -> NDArray[np.float32]:
    """(468, 3) unit vectors out of the face, of the skin's points."""
    triangles, skin = reference_face().triangles, points_px[: lm.SKIN_COUNT]
    a, b, c = (skin[triangles[:, i]] for i in range(3))
    faces = np.cross(c - a, b - a)  # z away from the camera: front faces give a negative z
    total = np.zeros((lm.SKIN_COUNT, 3), np.float32)
    for i in range(3):
        np.add.at(total, triangles[:, i], faces)
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-6)).astype(np.float32)


@cache
def plain_skin() -> NDArray[np.int32]:
    """Points of skin alone: no lips, lids, brows, nostrils, contour."""
    others = np.concatenate([
        lm.LIPS_OUTER, lm.LIPS_INNER, lm.EYE_LEFT, lm.EYE_RIGHT, lm.BROW_LEFT, lm.BROW_RIGHT, lm.OVAL,
    ])  # fmt: skip
    mean = reference_face().mean[: lm.SKIN_COUNT, :2]
    away = np.linalg.norm(mean[:, None] - reference_face().mean[None, others, :2], axis=2).min(1)
    return np.flatnonzero(away > 0.06).astype(np.int32)


def fit_light(bgr: NDArray[np.uint8], points_px: lm.Points) -> Light:
    """The light on a face at `points_px` (478, 3) of a picture: least squares over its skin, robust against what isn't lit
    skin (beards, hair, hands)."""
    chosen = plain_skin()
    height, width = bgr.shape[:2]
    spots = points_px[chosen, :2].round().astype(int)
    inside = ((spots >= 0) & (spots < (width, height))).all(1)
    spots, chosen = spots[inside], chosen[inside]
    if len(chosen) < 20:
        return Light(np.array([128, *[0] * 8], np.float32))
    luma = bgr[spots[:, 1], spots[:, 0]].astype(np.float64) @ (0.114, 0.587, 0.299)
    columns = basis(vertex_normals(points_px)[chosen]).astype(np.float64)
    weights = np.ones(len(columns))
    found = np.zeros(9)
    for _ in range(ROUNDS):
        weighted = columns * weights[:, None]
        gram = weighted.T @ columns + len(columns) * np.diag(RIDGE)
        found = np.linalg.solve(gram + 1e-6 * np.eye(9), weighted.T @ luma)
        away = np.abs(columns @ found - luma)
        limit = 1.5 * float(np.median(away)) + 1e-3
        weights = np.minimum(1.0, limit / np.maximum(away, 1e-9))
    return Light(found.astype(np.float32))


def ratio(
    of: Light, of_normals: NDArray[np.float32], to: Light, to_normals: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(n,) by how much the skin's points change when they go from one light, and turn, to another."""
    before, after = np.maximum(of.shade(of_normals), 8), np.maximum(to.shade(to_normals), 8)
    return np.clip(after / before, LEAST, MOST).astype(np.float32)

"""Definition of `warp_mesh` in plain NumPy; see the package for the contract."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EDGE = -1e-6
SMALLEST_AREA_PX2 = 1e-6


def _cross(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]))


def warp_mesh(
    target_px: NDArray[np.float32],
    source_px: NDArray[np.float32],
    triangles: NDArray[np.int32],
    backward: NDArray[np.float32],
    depth: NDArray[np.float32],
) -> None:
    """See the package."""
    height, width = depth.shape
    backward[...] = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    depth[...] = np.inf
    target, source = target_px.astype(np.float64), source_px.astype(np.float64)
    for triangle in triangles:
        a, b, c = target[triangle]
        area = _cross(a, b, c)
        if area < SMALLEST_AREA_PX2:
            continue
        x0, x1 = max(int(np.ceil(min(a[0], b[0], c[0]))) - 1, 0), min(int(max(a[0], b[0], c[0])) + 2, width)
        y0, y1 = max(int(np.ceil(min(a[1], b[1], c[1]))) - 1, 0), min(int(max(a[1], b[1], c[1])) + 2, height)
        if x0 >= x1 or y0 >= y1:
            continue
        x, y = np.meshgrid(np.arange(x0, x1, dtype=np.float64), np.arange(y0, y1, dtype=np.float64))
        v = ((x - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (y - a[1])) / area
        w = ((b[0] - a[0]) * (y - a[1]) - (x - a[0]) * (b[1] - a[1])) / area
        u = 1.0 - v - w
        z = (u * a[2] + v * b[2] + w * c[2]).astype(np.float32)
        position = (
            u[..., None] * source[triangle[0]] + v[..., None] * source[triangle[1]] + w[..., None] * source[triangle[2]]
        )
        seen = (u >= EDGE) & (v >= EDGE) & (w >= EDGE) & (z < depth[y0:y1, x0:x1])
        depth[y0:y1, x0:x1][seen] = z[seen]
        backward[y0:y1, x0:x1][seen] = position[seen]

"""`warp_mesh` on the CPU with Numba; see the package for the contract.

Bands of rows run in parallel; in a band each triangle fills its rows span by span, so that the inner loop has no edge
test. Depth and position are linear along a span, hence two multiply-adds and a comparison a pixel.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

ROWS_PER_BAND = 24
PARALLEL_FROM_PX = 65_536  # under that, waiting for a second thread costs more than it saves
SMALLEST_AREA_PX2 = 1e-6


@numba.njit(cache=True, nogil=True)
def _span(start, slope, low, high):  # type: ignore[no-untyped-def]
    """Narrow [low, high] to where start + slope * x >= -1e-6."""
    if slope > 1e-12:
        return max(low, (-1e-6 - start) / slope), high
    if slope < -1e-12:
        return low, min(high, (-1e-6 - start) / slope)
    return (low, high) if start >= -1e-6 else (1.0, 0.0)


@numba.njit(cache=True, nogil=True)
def _fill_band(target, source, triangles, backward, depth, first_row, last_row):  # type: ignore[no-untyped-def]
    width = depth.shape[1]
    for y in range(first_row, last_row):
        for x in range(width):
            backward[y, x, 0] = x
            backward[y, x, 1] = y
            depth[y, x] = np.inf
    for index in range(triangles.shape[0]):
        a, b, c = triangles[index, 0], triangles[index, 1], triangles[index, 2]
        ay, by, cy = np.float64(target[a, 1]), np.float64(target[b, 1]), np.float64(target[c, 1])
        top = max(first_row, int(np.ceil(min(ay, by, cy))) - 1)
        bottom = min(last_row, int(np.floor(max(ay, by, cy))) + 2)
        if top >= bottom:
            continue
        ax, bx, cx = np.float64(target[a, 0]), np.float64(target[b, 0]), np.float64(target[c, 0])
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area < SMALLEST_AREA_PX2:
            continue
        sax, say = np.float64(source[a, 0]), np.float64(source[a, 1])
        sbx, sby = source[b, 0] - sax, source[b, 1] - say
        scx, scy = source[c, 0] - sax, source[c, 1] - say
        az = np.float64(target[a, 2])
        bz, cz = target[b, 2] - az, target[c, 2] - az
        v_slope, w_slope = (cy - ay) / area, (ay - by) / area
        left, right = max(0.0, min(ax, bx, cx) - 1), min(width - 1.0, max(ax, bx, cx) + 1)
        for y in range(top, bottom):
            v_start = (-ax * (cy - ay) - (cx - ax) * (y - ay)) / area
            w_start = ((bx - ax) * (y - ay) + ax * (by - ay)) / area
            low, high = _span(v_start, v_slope, left, right)
            low, high = _span(w_start, w_slope, low, high)
            low, high = _span(1.0 - v_start - w_start, -v_slope - w_slope, low, high)
            z_start, z_slope = az + v_start * bz + w_start * cz, v_slope * bz + w_slope * cz
            sx_start, sx_slope = sax + v_start * sbx + w_start * scx, v_slope * sbx + w_slope * scx
            sy_start, sy_slope = say + v_start * sby + w_start * scy, v_slope * sby + w_slope * scy
            for x in range(int(np.ceil(low)), int(np.floor(high)) + 1):
                z = np.float32(z_start + z_slope * x)
                if z < depth[y, x]:
                    depth[y, x] = z
                    backward[y, x, 0] = sx_start + sx_slope * x
                    backward[y, x, 1] = sy_start + sy_slope * x


@numba.njit(cache=True, nogil=True, parallel=True)
def _warp_mesh(target, source, triangles, backward, depth):  # type: ignore[no-untyped-def]
    height = depth.shape[0]
    for band in numba.prange((height + ROWS_PER_BAND - 1) // ROWS_PER_BAND):
        first_row = band * ROWS_PER_BAND
        _fill_band(target, source, triangles, backward, depth, first_row, min(height, first_row + ROWS_PER_BAND))


def warp_mesh(
    target_px: NDArray[np.float32],
    source_px: NDArray[np.float32],
    triangles: NDArray[np.int32],
    backward: NDArray[np.float32],
    depth: NDArray[np.float32],
) -> None:
    """See the package."""
    if depth.size < PARALLEL_FROM_PX:
        _fill_band(target_px, source_px, triangles, backward, depth, 0, depth.shape[0])
    else:
        _warp_mesh(target_px, source_px, triangles, backward, depth)

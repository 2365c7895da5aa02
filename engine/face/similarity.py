"""The similarity between two sets of points in closed form, many times a frame.

Horn, "Closed-form solution of absolute orientation using unit quaternions", JOSA A 4 (1987), section 4: the rotation is the
eigenvector of the largest eigenvalue of a symmetric (4, 4) matrix. The scale is that eigenvalue over the source's variance, which
is the least-squares one of Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI
1991, equation 42.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SWEEPS = 30  # of Jacobi's rotations at most; four to six are enough
SMALL = 1e-30  # of the diagonal's squares: what is left beside it is rounding


@numba.njit(cache=True)
def similarity(source: Array, target: Array, weights: Array) -> tuple[Array, Array, float]:
    """Rotation (3, 3), translation (3,) and scale that carry points `source` (n, 3) nearest to `target` (n, 3), each with its
    weight (n,)."""
    middles = np.zeros((2, 3))
    for i in range(len(source)):
        for k in range(3):
            middles[0, k] += weights[i] * source[i, k]
            middles[1, k] += weights[i] * target[i, k]
    middles /= weights.sum()
    mixed, variance = np.zeros((3, 3)), 0.0  # mixed[j, k]: the source's axis j with the target's k
    for i in range(len(source)):
        for j in range(3):
            away = weights[i] * (source[i, j] - middles[0, j])
            variance += away * (source[i, j] - middles[0, j])
            for k in range(3):
                mixed[j, k] += away * (target[i, k] - middles[1, k])
    largest, quaternion = _largest(_of_quaternions(mixed))
    rotation, scale = _rotation(quaternion), largest / max(variance, 1e-12 * weights.sum())
    return rotation, middles[1] - scale * rotation @ middles[0], scale


@numba.njit(cache=True)
def robust_similarity(source: Array, target: Array, rounds: int) -> tuple[Array, Array, float]:
    """The same by reweighted least squares with Huber weights: what lies off by more than 1.5 times the median holds less."""
    count = len(source)
    weights, away = np.ones(count), np.empty(count)
    found = similarity(source, target, weights)
    for _ in range(rounds - 1):
        rotation, translation, scale = found
        for i in range(count):
            squares = 0.0
            for k in range(3):
                turned = rotation[k, 0] * source[i, 0] + rotation[k, 1] * source[i, 1] + rotation[k, 2] * source[i, 2]
                squares += (scale * turned + translation[k] - target[i, k]) ** 2
            away[i] = math.sqrt(squares)
        limit = 1.5 * np.median(away) + 1e-6
        for i in range(count):
            weights[i] = min(1.0, limit / max(away[i], 1e-9))
        found = similarity(source, target, weights)
    return found


@numba.njit(cache=True)
def _of_quaternions(m: Array) -> Array:
    """Horn's symmetric (4, 4) matrix."""
    x, y, z = m[1, 2] - m[2, 1], m[2, 0] - m[0, 2], m[0, 1] - m[1, 0]
    xy, xz, yz = m[0, 1] + m[1, 0], m[2, 0] + m[0, 2], m[1, 2] + m[2, 1]
    return np.array(
        [
            [m[0, 0] + m[1, 1] + m[2, 2], x, y, z],
            [x, m[0, 0] - m[1, 1] - m[2, 2], xy, xz],
            [y, xy, m[1, 1] - m[0, 0] - m[2, 2], yz],
            [z, xz, yz, m[2, 2] - m[0, 0] - m[1, 1]],
        ]
    )


@numba.njit(cache=True)
def _rotation(q: Array) -> Array:
    """(3, 3) of a unit quaternion."""
    w, x, y, z = q
    return np.array(
        [
            [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
        ]
    )


@numba.njit(cache=True)
def _largest(k: Array) -> tuple[float, Array]:
    """Largest eigenvalue of a symmetric (4, 4), which is used up, and its unit eigenvector, by Jacobi's rotations."""
    vectors = np.eye(4)
    for _ in range(SWEEPS):
        beside, diagonal = 0.0, 0.0
        for p in range(4):
            diagonal += k[p, p] ** 2
            for q in range(p + 1, 4):
                beside += k[p, q] ** 2
        if beside <= SMALL * diagonal:
            break
        for p in range(3):
            for q in range(p + 1, 4):
                if k[p, q] != 0.0:
                    _rotate(k, vectors, p, q)
    best = 0
    for i in range(1, 4):
        if k[i, i] > k[best, best]:
            best = i
    return k[best, best], vectors[:, best].copy()


@numba.njit(cache=True)
def _rotate(k: Array, vectors: Array, p: int, q: int) -> None:
    """Make k[p, q] 0, in place."""
    theta = (k[q, q] - k[p, p]) / (2 * k[p, q])
    tangent = (1.0 if theta >= 0 else -1.0) / (abs(theta) + math.sqrt(theta * theta + 1))
    cosine = 1 / math.sqrt(tangent * tangent + 1)
    sine = tangent * cosine
    for i in range(4):
        a, b = k[i, p], k[i, q]
        k[i, p], k[i, q] = cosine * a - sine * b, sine * a + cosine * b
    for i in range(4):
        a, b = k[p, i], k[q, i]
        k[p, i], k[q, i] = cosine * a - sine * b, sine * a + cosine * b
    for i in range(4):
        a, b = vectors[i, p], vectors[i, q]
        vectors[i, p], vectors[i, q] = cosine * a - sine * b, sine * a + cosine * b

"""`blend_poisson` on the CPU with Numba; see the package for the contract.

Conjugate gradients with a multigrid V-cycle before each step (Tatebe, "The Multigrid Preconditioned Conjugate Gradient
Method", 1993), begun from a nested guess: red-black Gauss-Seidel, each coarse point every second fine one, bilinear up and
its transpose down. A plain V-cycle does not converge where thin parts of a mask are no part of the coarse levels.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

ROUNDS = 10  # at most
ENOUGH = 0.5  # Dirichlet energy of the error, squared grey levels: a smooth error of at most 0.4 levels, of any size
SWEEPS = 1  # of each level, down and up
NESTED_SWEEPS = 2
COARSEST = 4  # px of a level's smaller side
COARSEST_SWEEPS = 24
FEW = 96 * 96  # pixels of a level that are done sooner by one thread than two are woken
Loops = Callable[..., None]


def _by_size(rows: Loops) -> Loops:
    """Loops over rows, compiled for several threads and for one; the size of the first argument decides.

    The second is a function of its own name: Numba's cache tells functions apart by name and code, not by `parallel`.
    """
    alone = FunctionType(rows.__code__, rows.__globals__, f"{rows.__name__}_alone")
    alone.__qualname__ = alone.__name__
    several, one = (numba.njit(cache=True, nogil=True, parallel=f is rows)(f) for f in (rows, alone))

    def run(first: NDArray[np.generic], *rest: Any) -> None:
        (several if first.shape[0] * first.shape[1] > FEW else one)(first, *rest)

    return run


Level = tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


@numba.njit(cache=True, nogil=True, parallel=True)
def _begin(canvas, layer, mask, inside, u):  # type: ignore[no-untyped-def]
    """Known values outside, 0 inside; the fourth channel fills a vector."""
    height, width = mask.shape
    for y in numba.prange(height):
        for x in range(width):
            inner = mask[y, x] != 0 and 0 < y < height - 1 and 0 < x < width - 1
            inside[y, x] = inner
            for k in range(3):
                u[y, x, k] = np.float32(0) if inner else np.float32(canvas[y, x, k]) - np.float32(layer[y, x, k])
            u[y, x, 3] = np.float32(0)


@_by_size
def _coarsen(inside, coarse):  # type: ignore[no-untyped-def]
    for y in numba.prange(coarse.shape[0]):
        for x in range(coarse.shape[1]):
            inner = 0 < y < coarse.shape[0] - 1 and 0 < x < coarse.shape[1] - 1
            coarse[y, x] = inner and inside[2 * y, 2 * x]


@_by_size
def _sweep(inside, u, f, colour):  # type: ignore[no-untyped-def]
    """Half a Gauss-Seidel sweep: the cells of one colour of the board."""
    for y in numba.prange(1, u.shape[0] - 1):
        for x in range(1 + (y + 1 + colour) % 2, u.shape[1] - 1, 2):
            if inside[y, x]:
                for k in range(4):
                    around = u[y - 1, x, k] + u[y + 1, x, k] + u[y, x - 1, k] + u[y, x + 1, k]
                    u[y, x, k] = np.float32(0.25) * (around + f[y, x, k])


@_by_size
def _residual(inside, u, f, r):  # type: ignore[no-untyped-def]
    for y in numba.prange(u.shape[0]):
        for x in range(u.shape[1]):
            for k in range(4):
                r[y, x, k] = np.float32(0)
            if inside[y, x]:
                for k in range(4):
                    around = u[y - 1, x, k] + u[y + 1, x, k] + u[y, x - 1, k] + u[y, x + 1, k]
                    r[y, x, k] = f[y, x, k] + around - np.float32(4) * u[y, x, k]


@_by_size
def _restrict(r, inside, f, u):  # type: ignore[no-untyped-def]
    """Residuals, weighted (1 2 1) both ways, to a coarse right side, whose guess begins at 0."""
    for y in numba.prange(f.shape[0]):
        for x in range(f.shape[1]):
            for k in range(4):
                u[y, x, k] = np.float32(0)
                f[y, x, k] = np.float32(0)
            if inside[y, x]:
                v, w = 2 * y, 2 * x
                for k in range(4):
                    corners = r[v - 1, w - 1, k] + r[v - 1, w + 1, k] + r[v + 1, w - 1, k] + r[v + 1, w + 1, k]
                    sides = r[v - 1, w, k] + r[v + 1, w, k] + r[v, w - 1, k] + r[v, w + 1, k]
                    f[y, x, k] = r[v, w, k] + np.float32(0.5) * sides + np.float32(0.25) * corners


@_by_size
def _correct(inside, u, coarse):  # type: ignore[no-untyped-def]
    for y in numba.prange(u.shape[0]):
        y0 = y >> 1
        y1 = min(y0 + (y & 1), coarse.shape[0] - 1)
        for x in range(u.shape[1]):
            if inside[y, x]:
                x0 = x >> 1
                x1 = min(x0 + (x & 1), coarse.shape[1] - 1)
                for k in range(4):
                    by = np.float32(0.25) * (
                        coarse[y0, x0, k] + coarse[y0, x1, k] + coarse[y1, x0, k] + coarse[y1, x1, k]
                    )
                    u[y, x, k] += by


@numba.njit(cache=True, nogil=True, parallel=True)
def _finish(canvas, layer, inside, u, out):  # type: ignore[no-untyped-def]
    for y in numba.prange(canvas.shape[0]):
        for x in range(canvas.shape[1]):
            for k in range(3):
                value = np.float32(canvas[y, x, k])
                if inside[y, x]:
                    value = np.floor(np.float32(layer[y, x, k]) + u[y, x, k] + np.float32(0.5))
                out[y, x, k] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))


@_by_size
def _known(inside, u, coarse_inside, coarse):  # type: ignore[no-untyped-def]
    """Coarse known values: the mean of the known ones around, or of none 0."""
    height, width = inside.shape
    for y in numba.prange(coarse.shape[0]):
        for x in range(coarse.shape[1]):
            for k in range(4):
                coarse[y, x, k] = np.float32(0)
            if not coarse_inside[y, x]:
                count = np.float32(0)
                for v in range(max(2 * y - 1, 0), min(2 * y + 2, height)):
                    for w in range(max(2 * x - 1, 0), min(2 * x + 2, width)):
                        if not inside[v, w]:
                            count += np.float32(1)
                            for k in range(4):
                                coarse[y, x, k] += u[v, w, k]
                if count > 0:
                    for k in range(4):
                        coarse[y, x, k] /= count


@numba.njit(cache=True, nogil=True, parallel=True)
def _products(a, b, rows):  # type: ignore[no-untyped-def]
    """`rows` (height, 4): inner products of each row and channel."""
    for y in numba.prange(a.shape[0]):
        for k in range(4):
            rows[y, k] = np.float32(0)
        for x in range(a.shape[1]):
            for k in range(4):
                rows[y, k] += a[y, x, k] * b[y, x, k]


@numba.njit(cache=True, nogil=True, parallel=True)
def _pushed(inside, p, out):  # type: ignore[no-untyped-def]
    """The Laplacian of directions that are 0 outside."""
    for y in numba.prange(p.shape[0]):
        for x in range(p.shape[1]):
            for k in range(4):
                out[y, x, k] = np.float32(0)
            if inside[y, x]:
                for k in range(4):
                    around = p[y - 1, x, k] + p[y + 1, x, k] + p[y, x - 1, k] + p[y, x + 1, k]
                    out[y, x, k] = np.float32(4) * p[y, x, k] - around


@numba.njit(cache=True, nogil=True, parallel=True)
def _step(u, r, p, pushed, alpha):  # type: ignore[no-untyped-def]
    for y in numba.prange(u.shape[0]):
        for x in range(u.shape[1]):
            for k in range(4):
                u[y, x, k] += alpha[k] * p[y, x, k]
                r[y, x, k] -= alpha[k] * pushed[y, x, k]


@numba.njit(cache=True, nogil=True, parallel=True)
def _turn(p, z, beta):  # type: ignore[no-untyped-def]
    for y in numba.prange(p.shape[0]):
        for x in range(p.shape[1]):
            for k in range(4):
                p[y, x, k] = z[y, x, k] + beta[k] * p[y, x, k]


def _cycle(levels: list[Level], at: int = 0) -> None:
    """A V-cycle from a level downwards, begun at 0: the same forwards and backwards, as a preconditioner must be."""
    inside, u, f, r = levels[at]
    if at == len(levels) - 1:
        for sweep in range(COARSEST_SWEEPS):
            _sweep(inside, u, f, (sweep + sweep // 2) % 2)
        return
    for colour in (0, 1) * SWEEPS:
        _sweep(inside, u, f, colour)
    _residual(inside, u, f, r)
    coarse = levels[at + 1]
    _restrict(r, coarse[0], coarse[2], coarse[1])
    _cycle(levels, at + 1)
    _correct(inside, u, coarse[1])
    for colour in (1, 0) * SWEEPS:
        _sweep(inside, u, f, colour)


def _nested(levels: list[Level], u: NDArray[np.float32], at: int = 0) -> None:
    """A first guess of what is unknown in `u`, from the coarsest level upwards."""
    inside, f = levels[at][0], levels[at][2]
    f.fill(0)
    if at + 1 < len(levels):
        coarse = np.empty_like(levels[at + 1][1])
        _known(inside, u, levels[at + 1][0], coarse)
        _nested(levels, coarse, at + 1)
        _correct(inside, u, coarse)
    for colour in (0, 1) * (NESTED_SWEEPS if at + 1 < len(levels) else COARSEST_SWEEPS):
        _sweep(inside, u, f, colour)


def _inner(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    rows = np.empty((len(a), 4), np.float32)
    _products(a, b, rows)
    return rows.sum(0, dtype=np.float64)


def _solve(levels: list[Level], u: NDArray[np.float32]) -> None:
    """Conjugate gradients, each channel for itself, on what `u` lacks."""
    inside, z, r, _ = levels[0]
    _residual(inside, u, np.zeros_like(u), r)
    p, pushed, energy = np.zeros_like(u), np.empty_like(u), np.zeros(4)
    for _ in range(ROUNDS):
        z.fill(0)
        _cycle(levels)
        before, energy = energy, _inner(r, z)
        if (energy <= ENOUGH).all():
            return
        beta = np.where(before > 0, energy / np.maximum(before, 1e-30), 0.0)
        _turn(p, z, beta.astype(np.float32))
        _pushed(inside, p, pushed)
        alpha = energy / np.maximum(_inner(p, pushed), 1e-30)
        _step(u, r, p, pushed, alpha.astype(np.float32))


def blend_poisson(
    canvas: NDArray[np.uint8], layer: NDArray[np.uint8], mask: NDArray[np.uint8], out: NDArray[np.uint8]
) -> None:
    """See the package."""
    shape = mask.shape
    inside, u = np.empty(shape, np.bool_), np.empty((*shape, 4), np.float32)
    _begin(canvas, layer, mask, inside, u)
    levels: list[Level] = [_level(inside)]
    while min(shape) > COARSEST:
        shape = ((shape[0] + 1) // 2, (shape[1] + 1) // 2)
        coarse = np.empty(shape, np.bool_)
        _coarsen(levels[-1][0], coarse)
        levels.append(_level(coarse))
    _nested(levels, u)
    _solve(levels, u)
    _finish(canvas, layer, inside, u, out)


def _level(inside: NDArray[np.bool_]) -> Level:
    shape = (*inside.shape, 4)
    return inside, np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.float32)

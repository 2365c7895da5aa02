"""Definition of `blend_poisson` in plain NumPy, by conjugate gradients; see the package for the contract."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PRECISION = 1e-5  # of the residual's norm, relative; 10 000 rounds are more than any mask of a megapixel needs
ROUNDS = 10_000


def _neighbours(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of each inner pixel's four neighbours; 0 on the rim."""
    total = np.zeros_like(u)
    total[1:-1, 1:-1] = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    return total


def membrane(known: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(height, width, channels): `known` outside, harmonic `inside`, of which the rim is no part."""
    where = inside[..., None]
    boundary = np.where(where, 0.0, known)
    u = np.zeros_like(known)
    residual = np.where(where, _neighbours(boundary), 0.0)
    direction, energy = residual.copy(), float((residual**2).sum())
    enough = PRECISION**2 * energy
    for _ in range(ROUNDS):
        if energy <= enough or energy == 0:
            break
        pushed = np.where(where, 4 * direction - _neighbours(direction), 0.0)
        step = energy / float((direction * pushed).sum())
        u += step * direction
        residual -= step * pushed
        before, energy = energy, float((residual**2).sum())
        direction = residual + energy / before * direction
    return boundary + u


def blend_poisson(
    canvas: NDArray[np.uint8], layer: NDArray[np.uint8], mask: NDArray[np.uint8], out: NDArray[np.uint8]
) -> None:
    """See the package."""
    inside = mask != 0
    inside[[0, -1]] = False
    inside[:, [0, -1]] = False
    u = membrane(canvas.astype(np.float64) - layer, inside)
    mixed = np.clip(np.floor(layer + u + 0.5), 0, 255).astype(np.uint8)
    out[...] = np.where(inside[..., None], mixed, canvas)

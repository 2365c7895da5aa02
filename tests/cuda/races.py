"""Kernels whose threads work on the same memory, small, for ThreadSanitizer: see tests/test_cuda.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import kernels.blend_poisson.cuda as poisson
import kernels.warp_mesh.cuda as mesh
from kernels.emulated import EmulatedDevice
from kernels.registry import load

# threads of the system, and a sanitizer that watches each
poisson.TAIL_THREADS, poisson.ROUNDS, poisson.SUMS, poisson.BLOCK = 8, 1, 2, (16, 4, 1)
mesh.THREADS, mesh.SHARES, mesh.BLOCK = 8, 2, (32, 4, 1)
random = np.random.default_rng(1)
device = EmulatedDevice("thread")


def picture(height: int, width: int) -> NDArray[np.uint8]:
    return random.integers(0, 256, (height, width, 3), np.uint8)


def both(kernel: str, *arguments: NDArray) -> None:
    """Compare with the reference too: what raced unseen may have gone wrong."""
    expected, found = ([a.copy() for a in arguments] for _ in range(2))
    load(kernel, "reference")(*expected)
    load(kernel, "cuda", device)(*found)
    assert all(np.allclose(e, f, atol=2) for e, f in zip(expected, found, strict=True)), kernel


both("embed_mark", picture(17, 37), random.integers(-127, 128, (17, 37)).astype(np.int8))
target = random.uniform(0, 24, (9, 3)).astype(np.float32)
triangles = random.integers(0, 9, (12, 3)).astype(np.int32)
maps = np.empty((20, 24, 2), np.float32), np.empty((20, 24), np.float32)
both("warp_mesh", target, target[:, :2].copy(), triangles, *maps)
mask = np.zeros((12, 14), np.uint8)
mask[3:9, 3:11] = 1
canvas = np.full((12, 14, 3), 100, np.uint8)
both("blend_poisson", canvas, canvas - 40, mask, np.empty_like(canvas))

"""`warp_mesh` on a CUDA device; see the package for the contract."""

from __future__ import annotations

import numpy as np

from kernels.device import Buffer, Device, blocks

THREADS = 128
SHARES = 4  # thread blocks that share a triangle
BLOCK = (32, 8, 1)


def workspace(device: Device, height: int, width: int) -> Buffer:
    """What the kernel writes between its passes, for maps of one size."""
    return device.empty((height, width), np.uint64)


def warp_mesh(
    device: Device,
    target_px: Buffer,
    source_px: Buffer,
    triangles: Buffer,
    backward: Buffer,
    depth: Buffer,
    keys: Buffer | None = None,
) -> None:
    """See the package. `keys` is the `workspace`; without it there is a new one."""
    height, width = depth.shape
    keys = workspace(device, height, width) if keys is None else keys
    shape = np.int32(height), np.int32(width)
    pixels = height * width
    device.launch("warp_mesh", "clear", (blocks(pixels, THREADS), 1, 1), (THREADS, 1, 1), keys, np.int32(pixels))
    if triangles.shape[0]:
        grid = (SHARES, triangles.shape[0], 1)
        device.launch("warp_mesh", "raster", grid, (THREADS, 1, 1), target_px, triangles, keys, *shape)
    grid = (blocks(width, BLOCK[0]), blocks(height, BLOCK[1]), 1)
    device.launch("warp_mesh", "resolve", grid, BLOCK, target_px, source_px, triangles, keys, backward, depth, *shape)

"""`feather` on a CUDA device, for radii up to 600; see the package for the contract."""

from __future__ import annotations

import numpy as np

from kernels.device import Buffer, Device, blocks

BLOCK = (32, 8, 1)
LARGEST = 600  # px: three passes' sums fit into 32 bits


def workspace(device: Device, height: int, width: int) -> tuple[Buffer, Buffer]:
    """What the kernel writes between its passes."""
    return device.empty((height, width), np.int32), device.empty((height, width), np.int32)


def feather(
    device: Device, mask: Buffer, radius: int, matte: Buffer, sums: tuple[Buffer, Buffer] | None = None
) -> None:
    """See the package; ValueError for a larger radius. `sums` is the `workspace`; without it there is a new one."""
    if radius > LARGEST:
        raise ValueError(f"feather on a GPU takes radii up to {LARGEST} px, not {radius}")
    height, width = matte.shape
    a, b = workspace(device, height, width) if sums is None else sums
    grid = (blocks(width, BLOCK[0]), blocks(height, BLOCK[1]), 1)
    for function, values, result in (
        ("down_mask", mask, a), ("down", a, b), ("across", b, a), ("across_matte", a, matte),
    ):  # fmt: skip
        device.launch(
            "feather", function, grid, BLOCK, values, np.int32(radius), result, np.int32(height), np.int32(width)
        )

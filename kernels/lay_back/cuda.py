"""`lay_back` on a CUDA device; see the package for the contract. `picture` may be a part of one."""

from __future__ import annotations

import numpy as np

from kernels.device import Buffer, Device, blocks

BLOCK = (32, 8, 1)
THREADS = 256


def workspace(device: Device, count: int, size: int) -> tuple[Buffer, Buffer]:
    """What the kernel writes between its passes: bytes, and where they show."""
    return device.empty((count, size, size, 4), np.uint8), device.empty((count, 4), np.int32)


def lay_back(
    device: Device,
    picture: Buffer,
    drawn: Buffer,
    crops: Buffer,
    matrices: Buffer,
    detail: float,
    space: tuple[Buffer, Buffer] | None = None,
) -> None:
    """See the package. `space` is the `workspace`; without it there is a new one."""
    count, size = drawn.shape[:2]
    height, width = picture.shape[:2]
    faded, shown = workspace(device, count, size) if space is None else space
    device.launch("lay_back", "fade", (count, 1, 1), (THREADS, 1, 1), drawn, np.int32(size), faded, shown)
    whole = crops.dtype == np.uint8
    none = np.uint64(0)
    grid = (blocks(width, BLOCK[0]), blocks(height, BLOCK[1]), 1)
    device.launch(
        "lay_back", "lay_back", grid, BLOCK,
        picture, np.int32(picture.row_bytes), np.int32(height), np.int32(width), faded, shown,
        *((crops, none) if whole else (none, crops)), np.int32(crops.shape[3 if whole else 1]), matrices,
        np.int32(count), np.int32(size), np.float32(detail),
    )  # fmt: skip

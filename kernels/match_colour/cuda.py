"""`match_colour` on a CUDA device; see the package for the contract."""

from __future__ import annotations

import numpy as np

from kernels.device import Buffer, Device, blocks

BLOCK = (32, 8, 1)


def match_colour(device: Device, picture: Buffer, table: Buffer, out: Buffer) -> None:
    """See the package."""
    height, width = picture.shape[:2]
    grid = (blocks(width, 4 * BLOCK[0]), blocks(height, BLOCK[1]), 1)
    device.launch(
        "match_colour", "match_colour", grid, BLOCK,
        picture, table, np.int32(table.shape[0]), out, np.int32(height), np.int32(width),
    )  # fmt: skip

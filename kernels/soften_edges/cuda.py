"""`soften_edges` on a CUDA device; see the package for the contract. `out` may be a part of a picture."""

from __future__ import annotations

import numpy as np

from kernels.device import Buffer, Device, blocks

BLOCK = (32, 8, 1)


def soften_edges(device: Device, picture: Buffer, backward: Buffer, limit_px: float, out: Buffer) -> None:
    """See the package."""
    height, width = picture.shape[:2]
    grid = (blocks(width, 4 * BLOCK[0]), blocks(height, BLOCK[1]), 1)
    device.launch(
        "soften_edges", "soften_edges", grid, BLOCK,
        picture, backward, np.float32(limit_px), out, np.int32(height), np.int32(width), np.int32(out.row_bytes),
    )  # fmt: skip

"""`composite` on a CUDA device; see the package for the contract. The canvas may be a part of a picture."""

from __future__ import annotations

import numpy as np

from kernels.device import Buffer, Device, blocks

BLOCK = (16, 8, 1)
PIXELS = 16  # a thread


def composite(device: Device, canvas: Buffer, layer: Buffer, matte: Buffer, left: int, top: int) -> None:
    """See the package."""
    rows, columns = matte.shape
    grid = (blocks(columns, PIXELS * BLOCK[0]), blocks(rows, BLOCK[1]), 1)
    numbers = (rows, columns, left, top)
    device.launch(
        "composite", "composite", grid, BLOCK,
        canvas, np.int32(canvas.shape[0]), np.int32(canvas.shape[1]), np.int32(canvas.row_bytes), layer, matte,
        *(np.int32(n) for n in numbers),
    )  # fmt: skip

"""`composite` on a CUDA device; see the package for the contract. The canvas may be a part of a picture."""

from __future__ import annotations

import numpy as np

from kernels.device import Buffer, Device, blocks

BLOCK = (16, 8, 1)
PIXELS = 16  # a thread
PLACED = np.dtype([(name, "i4") for name in ("rows", "columns", "left", "top", "layer", "matte")])


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


def composite_placed(device: Device, canvas: Buffer, data: Buffer, places: Buffer, index: int) -> None:
    """The same for a layer no larger than the canvas, whose size and place are read when it is drawn.

    `places` holds PLACED entries, of which the `index`th counts; `layer` and `matte` are offsets in `data`, bytes. No rows are
    no layer.
    """
    height, width = canvas.shape[:2]
    grid = (blocks(width, PIXELS * BLOCK[0]), blocks(height, BLOCK[1]), 1)
    device.launch(
        "composite", "composite_placed", grid, BLOCK,
        canvas, np.int32(height), np.int32(width), np.int32(canvas.row_bytes), data, places, np.int32(index),
    )  # fmt: skip

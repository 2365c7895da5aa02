"""`sample` on a CUDA device; see the package for the contract. `out` of three channels may be a part of a picture."""

from __future__ import annotations

import numpy as np

from kernels.device import Buffer, Device, blocks

BLOCK = (32, 8, 1)


def sample(device: Device, source: Buffer, backward: Buffer, out: Buffer) -> None:
    """See the package."""
    height, width, channels = source.shape
    rows, columns = out.shape[:2]
    shape = np.int32(height), np.int32(width)
    if channels == 3:
        grid = (blocks(columns, 4 * BLOCK[0]), blocks(rows, BLOCK[1]), 1)
        device.launch(
            "sample", "sample3", grid, BLOCK,
            source, *shape, backward, out, np.int32(rows), np.int32(columns), np.int32(out.row_bytes),
        )  # fmt: skip
    else:
        grid = (blocks(columns, BLOCK[0]), blocks(rows, BLOCK[1]), 1)
        device.launch(
            "sample", "sample_any", grid, BLOCK,
            source, *shape, np.int32(channels), backward, out, np.int32(rows), np.int32(columns),
        )  # fmt: skip

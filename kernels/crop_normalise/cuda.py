"""`crop_normalise` on a CUDA device; see the package for the contract. `picture` may be a part of one."""

from __future__ import annotations

import numpy as np

from kernels.device import Buffer, Device, blocks

BLOCK = (16, 16, 1)


def crop_normalise(
    device: Device,
    picture: Buffer,
    backward: Buffer,
    matrices: Buffer,
    drawings: Buffer,
    references: Buffer,
    units: Buffer,
    crops: Buffer,
) -> None:
    """See the package."""
    count, size = drawings.shape[:2]
    height, width = picture.shape[:2]
    side = blocks(size, BLOCK[0])
    none = np.uint64(0)
    targets = (crops, none) if crops.dtype == np.uint8 else (none, crops)
    device.launch(
        "crop_normalise", "crop_normalise", (side, side, count), BLOCK,
        picture, np.int32(picture.row_bytes), backward, np.int32(height), np.int32(width), matrices, drawings, references, units,
        np.int32(size), *targets,
    )  # fmt: skip

"""`embed_mark` on a CUDA device; see the package for the contract."""

from __future__ import annotations

import numpy as np

from kernels.device import Buffer, Device, blocks
from kernels.embed_mark import BLOCK

THREADS = (16, BLOCK, 1)
PIXELS = 16  # a thread


def embed_mark(device: Device, picture: Buffer, pattern: Buffer) -> None:
    """See the package."""
    if not picture.packed:
        raise ValueError("embed_mark changes a C-contiguous picture")
    height, width = pattern.shape
    grid = (blocks(width, PIXELS * THREADS[0]), blocks(height, BLOCK), 1)
    device.launch("embed_mark", "embed_mark", grid, THREADS, picture, pattern, np.int32(height), np.int32(width))

"""Definition of `embed_mark` in plain NumPy; see the package for the contract."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.embed_mark import BLOCK, MOST, PLAIN, SLOPE, STEP


def embed_mark(picture: NDArray[np.uint8], pattern: NDArray[np.int8]) -> None:
    """See the package."""
    if not picture.flags.c_contiguous:
        raise ValueError("embed_mark changes a C-contiguous picture")
    height, width = pattern.shape
    gain = _gains(picture[..., 1].astype(np.int32))
    gain = np.repeat(np.repeat(gain, BLOCK, 0), BLOCK, 1)[:height, :width]
    more = (pattern.astype(np.int32) * gain + 512) >> 10
    picture[...] = np.clip(picture + more[..., None], 0, 255)


def _gains(green: NDArray[np.int32]) -> NDArray[np.int32]:
    """(blocks down, blocks across) int32."""
    height, width = green.shape
    busy = []
    for down in (0, BLOCK // 2):
        for across in (0, BLOCK // 2):
            y0, x0 = np.arange(0, height, BLOCK) + down, np.arange(0, width, BLOCK) + across
            rows = [np.minimum(y, height - 1)[:, None] for y in (y0, y0 + STEP)]
            columns = [np.minimum(x, width - 1)[None] for x in (x0, x0 + STEP)]
            a, b, c, d = (green[y, x] for y in rows for x in columns)
            busy.append(abs(a - b) + abs(c - d) + abs(a - c) + abs(b - d))
    return np.minimum(PLAIN + np.min(busy, 0) * SLOPE // 8, MOST)

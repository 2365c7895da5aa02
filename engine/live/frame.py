"""The record that travels from stage to stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture and where it comes from."""

    bgr: NDArray[np.uint8]  # (height_px, width_px, 3), C-contiguous, never written to after it is sent
    index: int  # counts camera reads; a gap means frames were skipped
    captured_s: float  # time.monotonic() when the read returned; for a file rendered offline, its time stamp

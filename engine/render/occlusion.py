"""What lies in front of the performer's face: hair, rims of glasses, hands, cups, microphones stay in front of a swapped one.

A small network looks at the picture around the face, told where the face is and what it answered before; MediaPipe's hands
are a second opinion.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm

SUBPIXEL_BITS = 4


def contour(points: lm.Points, size_px: int) -> NDArray[np.uint8]:
    """(size, size): 255 inside the contour of a face at `points` (478, 2 or 3), pixels of a crop."""
    drawing = np.zeros((size_px, size_px), np.uint8)
    fixed = np.round(points[lm.OVAL, :2] * (1 << SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(drawing, [fixed.reshape(-1, 1, 2)], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    return drawing

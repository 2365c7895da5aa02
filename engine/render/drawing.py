"""White figures with smooth edges at fractions of a pixel, drawn into one channel in place. Points are (n, 2) px, x and y."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

FRACTION_BITS: Final = 4  # that OpenCV's drawing keeps of coordinates


def fill(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> None:
    """The polygon."""
    cv2.fillPoly(picture, [_fixed(points)], 255, cv2.LINE_AA, FRACTION_BITS)


def line(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> None:
    """The points joined by a line that is one pixel wide."""
    cv2.polylines(picture, [_fixed(points)], False, 255, 1, cv2.LINE_AA, FRACTION_BITS)


def disc(picture: NDArray[np.uint8], middle: NDArray[np.float32], radius_px: float) -> None:
    """The disc around a point (2,)."""
    radius = round(radius_px * (1 << FRACTION_BITS))
    cv2.circle(picture, _fixed(middle[None])[0, 0], radius, 255, -1, cv2.LINE_AA, FRACTION_BITS)


def _fixed(points: NDArray[np.float32]) -> NDArray[np.int32]:
    return np.round(points * (1 << FRACTION_BITS)).astype(np.int32).reshape(-1, 1, 2)

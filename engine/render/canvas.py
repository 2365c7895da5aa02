"""The picture that leaves: a portrait brought to the output's size, its surroundings continued where it is narrower."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def fit_scale(picture: NDArray[np.uint8], width_px: int, height_px: int) -> float:
    """Factor that makes a picture as high as the output, or as wide where it would be wider than the output."""
    return min(height_px / picture.shape[0], width_px / picture.shape[1])


def surround(picture: NDArray[np.uint8], width_px: int, height_px: int) -> tuple[NDArray[np.uint8], int, int]:
    """Canvas (height, width, 3) with `picture` in its middle, and the picture's left and top on it.

    What is missing at the sides continues the picture's edge, blurred more the further out, so that no edge shows and
    nothing of the face is repeated.
    """
    height, width = picture.shape[:2]
    left, top = (width_px - width) // 2, (height_px - height) // 2
    right, bottom = width_px - width - left, height_px - height - top
    canvas = cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_REPLICATE)
    if left + right + top + bottom == 0:
        return np.asarray(canvas, np.uint8), 0, 0
    y, x = np.mgrid[0:height_px, 0:width_px].astype(np.float32)
    outside = np.maximum(np.maximum(left - x, x - (left + width - 1)), np.maximum(top - y, y - (top + height - 1)))
    result = canvas.astype(np.float32)
    for sigma in (2.0, 6.0, 18.0, 40.0):
        blurred = cv2.GaussianBlur(canvas, (0, 0), sigma).astype(np.float32)
        share = np.clip(outside / (2.5 * sigma), 0, 1)[..., None]
        result += (blurred - result) * share
    return np.clip(result + 0.5, 0, 255).astype(np.uint8), left, top

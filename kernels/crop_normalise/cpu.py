"""`crop_normalise` on the CPU with OpenCV; see the package for the contract.

OpenCV reads at positions of 1/32 px, and rounds each reading to a byte before their mean is taken.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kernels.crop_normalise import LARGEST_STEP, SMALLEST_AREA, STRETCH_OCTAVES

HOW = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def crop(picture: NDArray[np.uint8], matrix: NDArray[np.float32], size_px: int) -> NDArray[np.uint8]:
    """The crop (size, size, channels) alone: cut out as finely as the picture is, then shrunk by a whole number."""
    step = float(np.linalg.norm(matrix[:, 0]))
    taps = 1 if step <= LARGEST_STEP else int(np.ceil(step))
    finer = matrix / np.float32(taps)
    finer[:, 2] = matrix[:, 2] - (matrix[:, 0] + matrix[:, 1]) * np.float32(0.5 - 0.5 / taps)
    side = (size_px * taps, size_px * taps)
    cut = cv2.warpAffine(picture, finer, side, flags=HOW, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut if taps == 1 else cv2.resize(cut, (size_px, size_px), interpolation=cv2.INTER_AREA), np.uint8)


def stretch(backward: NDArray[np.float32], matrix: NDArray[np.float32], size_px: int, unit: float) -> NDArray[np.uint8]:
    """The stretch (size, size) alone."""
    source = cv2.warpAffine(backward, matrix, (size_px, size_px), flags=HOW, borderMode=cv2.BORDER_REPLICATE)
    by_x, by_y = np.diff(source, axis=1)[:-1], np.diff(source, axis=0)[:, :-1]
    area = np.abs(by_x[..., 0] * by_y[..., 1] - by_x[..., 1] * by_y[..., 0]) / np.float32(unit**2)
    octaves = np.clip(np.log2(np.maximum(area, SMALLEST_AREA)), -STRETCH_OCTAVES, STRETCH_OCTAVES)
    whole = np.pad(octaves, ((0, 1), (0, 1)), mode="edge")
    return (128 + whole * (127 / STRETCH_OCTAVES)).astype(np.uint8)


def crop_normalise(
    picture: NDArray[np.uint8],
    backward: NDArray[np.float32],
    matrices: NDArray[np.float32],
    drawings: NDArray[np.uint8],
    references: NDArray[np.uint8],
    units: NDArray[np.float32],
    crops: NDArray[np.uint8] | NDArray[np.float16],
) -> None:
    """See the package."""
    size = drawings.shape[1]
    for i, matrix in enumerate(matrices):
        parts = [
            crop(picture, matrix, size), drawings[i], references[i],
            stretch(backward, matrix, size, float(units[i]))[..., None],
        ]  # fmt: skip
        if crops.dtype == np.uint8:
            np.concatenate(parts, axis=2, out=crops[i])
        else:
            crops[i] = (np.concatenate(parts, axis=2).transpose(2, 0, 1) / np.float32(127.5) - 1).astype(np.float16)

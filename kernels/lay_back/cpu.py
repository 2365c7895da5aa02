"""`lay_back` on the CPU with OpenCV, which reads at positions of 1/32 px; see the package for the contract."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from kernels.composite.cpu import composite
from kernels.lay_back import EDGE_SHARE, KEPT_DETAIL, LEAST_MATTE


def lay_back(
    picture: NDArray[np.uint8],
    drawn: NDArray[np.float32],
    crops: NDArray[np.uint8] | NDArray[np.float16],
    matrices: NDArray[np.float32],
) -> None:
    """See the package."""
    if crops.dtype != np.uint8:
        crops = _rounded((crops[:, :3].astype(np.float32) + 1) * np.float32(127.5)).transpose(0, 2, 3, 1)
    for answer, crop, matrix in zip(drawn, crops, matrices, strict=True):
        _lay(picture, _faded(answer), crop[..., :3], matrix)


def _lay(
    picture: NDArray[np.uint8], faded: NDArray[np.uint8], seen: NDArray[np.uint8], matrix: NDArray[np.float32]
) -> None:
    """One crop, where it shows."""
    corners = _shown_corners(faded[..., 3])
    if corners is None:
        return
    placed = corners @ matrix.T
    left, top = np.maximum(np.floor(placed.min(0) - 1), 0).astype(int)
    right, bottom = np.minimum(np.ceil(placed.max(0) + 1) + 1, picture.shape[1::-1]).astype(int)
    width, height = int(right - left), int(bottom - top)
    if width < 2 or height < 2:
        return
    local = matrix.copy()
    local[:, 2] -= (left, top)
    layer = cv2.warpAffine(faded, local, (width, height), flags=cv2.INTER_LINEAR)
    colour = np.ascontiguousarray(layer[..., :3])
    kept = KEPT_DETAIL * float(np.clip(np.linalg.norm(matrix[:, 0]) - 1, 0, 1))
    if kept:
        below = picture[top:bottom, left:right]
        soft = cv2.warpAffine(np.ascontiguousarray(seen), local, (width, height), flags=cv2.INTER_LINEAR)
        detail = cv2.addWeighted(below, kept, soft, -kept, 0, dtype=cv2.CV_16S)
        colour = np.asarray(cv2.add(colour, detail, dtype=cv2.CV_8U), np.uint8)
    composite(picture, colour, np.ascontiguousarray(layer[..., 3]), int(left), int(top))


def _shown_corners(matte: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """(4, 3) corners x, y, 1 of the part of a crop where its matte shows; None where it shows nowhere."""
    shown = matte >= LEAST_MATTE
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    if not len(rows):
        return None
    return np.array(
        [(x, y, 1) for x in (columns[0] - 1, columns[-1] + 1) for y in (rows[0] - 1, rows[-1] + 1)], np.float32
    )


def _faded(drawn: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colour and faded matte as (size, size, 4) uint8."""
    return _rounded(np.concatenate([drawn[..., :3], 255 * drawn[..., 3:] * _window(len(drawn))[..., None]], axis=2))


def _rounded(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(values + np.float32(0.5), 0, 255).astype(np.uint8)


@cache
def _window(size: int) -> NDArray[np.float32]:
    """(size, size): 1 inside, 0 at the edge."""
    inwards = np.minimum(np.arange(size), np.arange(size)[::-1]) / (EDGE_SHARE * size)
    ramp = np.clip(inwards, 0, 1).astype(np.float32)
    return np.outer(ramp, ramp)

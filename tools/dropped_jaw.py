"""Mouths opened wider than the training data have them: the picture's lower jaw, moved down.

Shouts are rare in pictures, and what a network never saw it smears. Each column of the picture is stretched where it may
be: between the teeth, which go with their lips, and in the neck. Chin and lower lip move as a whole.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm

LEAST_GAP = 0.10  # of the lips, inter-ocular distances: less shows too little of the inside to make more of
DARK, RED, RED_LUMA = 0.6, 1.2, 0.9  # of the cheeks' luma and redness: a mouth's middle that is neither shows teeth
MIDDLE = (0.5, 0.18)  # how far the middle reaches, of the lips' inner width and of the gap
CHEEKS = (50, 280)
LUMA = np.array([0.114, 0.587, 0.299], np.float32)
TEETH = 0.3  # share of the gap, from each lip, that goes with the lip
LIP = 0.12  # how thick the lower lip is, inter-ocular distances
NECK = 2.5  # how much of what is under the chin makes room, in drops
STEEPNESS = 0.5  # of the gap's height across the mouth: the lip's drop is (gap / widest gap) to this power


def drop_jaw(picture: NDArray[np.uint8], points_px: lm.Points, drop: float) -> tuple[NDArray[np.uint8], lm.Points]:
    """The picture (h, w, 3) and its landmarks (478, 3) with the jaw `drop` inter-ocular distances lower. Meant for faces that are
    upright and whose lips are apart; closed lips would be torn."""
    height, width = picture.shape[:2]
    rows = np.arange(height, dtype=np.float32)
    columns = np.arange(width, dtype=np.float32)
    before, after = _knots(points_px, columns, drop, height)
    source_y = np.stack([np.interp(rows, a, b) for a, b in zip(after, before, strict=True)], axis=1).astype(np.float32)
    source_x = np.broadcast_to(columns, (height, width)).copy()
    moved = cv2.remap(picture, source_x, source_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    before, after = _knots(points_px, points_px[:, 0], drop, height)
    result = points_px.copy()
    result[:, 1] = [np.interp(y, b, a) for y, b, a in zip(points_px[:, 1], before, after, strict=True)]
    return np.asarray(moved, np.uint8), result


def shows_cavity(picture: NDArray[np.uint8], points_px: lm.Points) -> bool:
    """Whether the middle of an open mouth is dark or tongue. Teeth there would become longer by a lower jaw."""
    pairs = points_px[lm.LIP_PAIRS[3:6], :2]
    gap = float(np.linalg.norm(pairs[:, 0] - pairs[:, 1], axis=1).mean())
    if gap < LEAST_GAP * lm.inter_ocular(points_px):
        return False
    reach = np.array([MIDDLE[0] * lm.distance(points_px, 81, 311), MIDDLE[1] * gap])
    inside = _pixels(picture, pairs.mean((0, 1)), reach)
    cheeks = np.concatenate([_pixels(picture, points_px[k, :2], np.full(2, 3.0)) for k in CHEEKS])
    if not len(inside) or not len(cheeks):
        return False
    brightest = float(np.quantile(inside @ LUMA, 0.9) / max(float((cheeks @ LUMA).mean()), 1.0))
    redness = _redness(inside) / _redness(cheeks)
    return brightest < DARK or (redness > RED and brightest < RED_LUMA)


def _pixels(picture: NDArray[np.uint8], middle: NDArray[np.float32], reach: NDArray[np.float64]) -> NDArray[np.float32]:
    """(n, 3): what lies around a point."""
    (x0, y0), (x1, y1) = np.maximum(middle - reach, 0).astype(int), (middle + reach + 1).astype(int)
    return picture[y0:y1, x0:x1].reshape(-1, 3).astype(np.float32)


def _redness(pixels: NDArray[np.float32]) -> float:
    return float(max(pixels[:, 2].mean(), 1.0) / max(pixels[:, 1].mean(), 1.0))


def _knots(
    points_px: lm.Points, columns: NDArray[np.float32], drop: float, height: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, 7) each: rows of the picture in each column, and where they go."""
    unit = lm.inter_ocular(points_px)
    upper, lower = (_curve(points_px, lm.LIP_PAIRS[:, side], columns) for side in (0, 1))
    lower = np.maximum(lower, upper)
    gap = lower - upper
    share = (gap / max(float(gap.max()), 1e-6)) ** STEEPNESS
    full = drop * unit
    chin = float(points_px[152, 1])
    lip = np.minimum(lower + LIP * unit, chin - 2)
    neck = chin + NECK * full
    last = np.full_like(gap, max(height, neck + 1.0))
    zero = np.zeros_like(gap)
    before = np.stack(
        [zero, upper + TEETH * gap, lower - TEETH * gap + 1e-3, lip, zero + chin, zero + neck, last], axis=1
    )
    moves = np.stack([zero, zero, share * full, share * full, zero + full, zero, zero], axis=1)
    return before.astype(np.float64), (before + moves).astype(np.float64)


def _curve(points_px: lm.Points, side: lm.Indices, columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """The height of one inner lip in each column; outside of the mouth that of its corners."""
    line = points_px[np.concatenate([[78], side, [308]])]
    order = np.argsort(line[:, 0])
    curve: NDArray[np.float32] = np.interp(columns, line[order, 0], line[order, 1]).astype(np.float32)
    return curve

"""Carry displacements from one face to another in proportion to their features.

The mouth moves in proportion to mouth width and jaw length, the lids to the height of the eye, the brows to their
distance from the eye: so lids that touch on one face touch on the other.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.face.reference import reference_face

REGIONS = {
    "mouth": np.concatenate([lm.LIPS_OUTER, lm.LIPS_INNER, lm.CHIN]),
    "eye_left": lm.EYE_LEFT,
    "eye_right": lm.EYE_RIGHT,
    "brows": np.concatenate([lm.BROW_LEFT, lm.BROW_RIGHT]),
}
REACH = 0.10  # how far a region's rule reaches, inter-ocular distances
RATIO_LIMITS = (0.6, 1.6)
STIFF = np.array(
    [1, 2, 4, 5, 6, 168, 197, 195, 8, 9, 10, 109, 338, 67, 297, 103, 332, 54, 284,
     21, 251, 162, 389, 127, 356, 234, 454, 93, 323], np.int32,
)  # fmt: skip
STIFF_REACH = 0.12  # inter-ocular distances


def _eye_size(shape: lm.Points, corners: tuple[int, int], pairs: lm.Indices) -> tuple[float, float]:
    width = lm.distance(shape, *corners)
    return width, lm.lid_opening(shape, pairs, corners) * width


def _features(shape: lm.Points) -> NDArray[np.float32]:
    """(5, 3): what each region's x, y and z are measured in; the last row is the rest of the face."""
    jaw = lm.distance(shape, 2, 152)
    left_width, left_height = _eye_size(shape, lm.EYE_CORNERS_LEFT, lm.LID_PAIRS_LEFT)
    right_width, right_height = _eye_size(shape, lm.EYE_CORNERS_RIGHT, lm.LID_PAIRS_RIGHT)
    brows = float(shape[REGIONS["brows"], 1].mean() - shape[[33, 133, 263, 362], 1].mean())
    return np.array(
        [
            [lm.distance(shape, *lm.MOUTH_CORNERS), jaw, jaw],
            [left_width, left_height, left_width],
            [right_width, right_height, right_width],
            [1.0, abs(brows), 1.0],
            [1.0, 1.0, 1.0],
        ],
        np.float32,
    )


def _known_features(shape: lm.Points) -> NDArray[np.float32]:
    return _reference_features() if shape is reference_face().mean else _features(shape)


@cache
def _reference_features() -> NDArray[np.float32]:
    return _features(reference_face().mean)


@cache
def expressiveness() -> NDArray[np.float32]:
    """(478, 1) in [0, 1]: how far expression can move each point.

    The bridge and tip of the nose and the upper contour don't move with expression; what a tracker sees move there is its
    own error, which changes with the head's turn and would read as a nod of the puppet.
    """
    mean = reference_face().mean
    away = np.linalg.norm(mean[:, None, :2] - mean[None, STIFF, :2], axis=2).min(1)
    weights = 1 - np.exp(-((away / STIFF_REACH) ** 2))
    weights[lm.SKIN_COUNT :] = 1
    return weights[:, None].astype(np.float32)


@cache
def region_weights() -> NDArray[np.float32]:
    """(478, 5): how much each of `REGIONS`, and last the rest of the face, holds at each point; rows sum to 1."""
    mean = reference_face().mean[:, :2]
    nearest = np.stack([np.linalg.norm(mean[:, None] - mean[None, r], axis=2).min(1) for r in REGIONS.values()], 1)
    weights = np.concatenate([np.exp(-((nearest / REACH) ** 2)), np.full((lm.COUNT, 1), 0.05)], axis=1)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def gains(source: lm.Points, target: lm.Points) -> NDArray[np.float32]:
    """(478, 3) factors that carry displacements of the neutral shape `source` to the neutral shape `target`."""
    ratio = np.clip(_known_features(target) / np.maximum(_known_features(source), 1e-3), *RATIO_LIMITS)
    result = region_weights() @ ratio
    for iris, row in ((lm.IRIS_LEFT, 1), (lm.IRIS_RIGHT, 2)):
        result[iris] = ratio[row, 0]
    return result.astype(np.float32)

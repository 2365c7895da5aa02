"""The expression that a photograph shows, estimated and taken off, so that the performer's is not added on top of it."""

from __future__ import annotations

import numpy as np

from engine.face import landmarks as lm
from engine.face.reference import reference_face

CHEEKS = np.array([50, 280, 205, 425, 206, 426, 36, 266, 216, 436, 212, 432, 57, 287, 186, 410], np.int32)
SMILE_SEEN_FROM = (
    0.4  # faces at rest measure -0.4 to 0.9 smiles, median 0; smiling ones 0.1 to 2.1, median 1.1 (London set)
)
SMILE_SHARE = 0.95  # of what is seen beyond that is taken off


def relaxed_face(shape: lm.Points) -> lm.Points:
    """Canonical `shape` (478, 3) without its smile and with its lips together."""
    return close_lips(take_off_smile(shape))


def own_smile(shape: lm.Points) -> float:
    """How much a face smiles; 1 is the mean of people asked to smile. Least squares beside the opening of the jaw."""
    face = reference_face()
    region = np.concatenate([lm.LIPS_OUTER, lm.LIPS_INNER, CHEEKS])
    basis = np.stack([face.actions[name][region].ravel() for name in ("smile", "jaw_open")], axis=1)
    amounts = np.linalg.lstsq(basis, (shape - face.mean)[region].ravel(), rcond=None)[0]
    return float(amounts[0])


def take_off_smile(shape: lm.Points) -> lm.Points:
    """The face with the smile taken back that it clearly shows."""
    amount = SMILE_SHARE * max(0.0, own_smile(shape) - SMILE_SEEN_FROM)
    return (shape - np.float32(amount) * reference_face().actions["smile"]).astype(np.float32)


def close_lips(shape: lm.Points) -> lm.Points:
    """The face with its lips together: the jaw action taken back until they meet."""
    jaw = reference_face().actions["jaw_open"]
    gap_per_unit = lm.lip_gap(reference_face().mean + jaw) - lm.lip_gap(reference_face().mean)
    closed = (shape - jaw * np.float32(lm.lip_gap(shape) / gap_per_unit)).astype(np.float32)
    upper, lower = lm.LIP_PAIRS[:, 0], lm.LIP_PAIRS[:, 1]
    middle = (closed[upper] + closed[lower]) / 2
    closed[upper], closed[lower] = middle, middle
    return closed

"""What a face shows, as ARKit's coefficients and the rest of it: model-based tracking of expressions.

The coefficients are fitted to the offsets of `Neutral.performance`, bounded, regularised and robust, warm-started from the frame
before (Thies et al., "Face2Face", CVPR 2016, section 4, on landmarks instead of pixels). What the model can't say, the dense
residual, is kept in part around the eyes and at the brows, where much of it is the tracker's noise, and in full elsewhere.
Why the head's pose is not solved for together with them: docs/decisions/011-pose-before-expression.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from engine.face import arkit
from engine.face import landmarks as lm
from engine.face.model import FaceModel, face_model
from engine.face.proportions import expressiveness, region_weights

RESIDUAL_SHARES = (1.0, 0.3, 0.3, 0.6, 1.0)  # of mouth, left eye, right eye, brows, and the rest of the face
OUTLIER = 0.08  # inter-ocular distances: a point that is so far off what the model says has a quarter of its weight


@dataclass(frozen=True, slots=True)
class Expression:
    """One frame's."""

    coefficients: arkit.Coefficients  # (52,)
    offsets: lm.Points  # (478, 3) what to show: the model's part and what is kept of the residual


@cache
def _kept() -> NDArray[np.float32]:
    """(478, 1) share of the residual that is kept."""
    return region_weights() @ np.array(RESIDUAL_SHARES, np.float32)[:, None]


class ExpressionFit:
    """Follows one performer's expression. Keeps the last frame's answer as the next one's start: use it from one thread."""

    def __init__(self, model: FaceModel | None = None) -> None:
        self._model = model or face_model()
        self._last = np.zeros(arkit.COUNT, np.float32)

    def __call__(self, offsets: lm.Points) -> Expression:
        """The expression of offsets (478, 3) in the reference face's proportions."""
        off = offsets - self._model.offsets(self._last)
        weights = 1 / (1 + np.einsum("ij,ij->i", off, off) / OUTLIER**2)  # square root of Geman-McClure's
        self._last = self._model.coefficients(offsets, self._last, weights)
        said = expressiveness() * self._model.offsets(self._last)
        shown = (said + _kept() * (offsets - said)).astype(np.float32)
        for pairs in (lm.LID_PAIRS_LEFT, lm.LID_PAIRS_RIGHT):  # how far lids are apart is as tracked: eyes must shut
            upper, lower = pairs[:, 0], pairs[:, 1]
            shown[upper] = shown[lower] + offsets[upper] - offsets[lower]
        return Expression(self._last, shown)

    def reset(self) -> None:
        """Start anew: the face was lost."""
        self._last = np.zeros(arkit.COUNT, np.float32)

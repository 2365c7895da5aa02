"""The face model: ARKit's 52 shapes and identities as displacements of FaceMesh's points (`tools/build_face_model.py`).

The parametric face of Thies et al., "Face2Face", CVPR 2016, section 3, with ICT-FaceKit's shapes (Li et al. 2020). Shapes are in
the canonical frame and in the proportions of the reference face, as every `Performance` is: what one performer shows, any
puppet can do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.face import arkit
from engine.face import landmarks as lm
from engine.face.bounded import descend
from engine.face.reference import face_table

DEPTH_WEIGHT: Final = 0.5  # of z in a fit: FaceMesh guesses it
RIDGE: Final = 0.1  # displacement, summed over all points, that counts as much as a whole unit of a shape
SPARSITY: Final = 0.002  # what the first of any shape costs, squared inter-ocular distances
OPEN, CLOSE = arkit.INDEX["jawOpen"], arkit.INDEX["mouthClose"]
SWEEPS: Final = 40
# How readily a shape explains what is seen, 1 if not named: these look like others, or nobody does them while talking.
READINESS: Final = {
    "jawForward": 0.4, "jawLeft": 0.5, "jawRight": 0.5, "mouthShrugLower": 0.35, "mouthShrugUpper": 0.35,
    "mouthRollLower": 0.5, "mouthRollUpper": 0.5, "mouthDimpleLeft": 0.4, "mouthDimpleRight": 0.4, "mouthPressLeft": 0.5,
    "mouthPressRight": 0.5, "cheekPuff": 0.4, "cheekSquintLeft": 0.4, "cheekSquintRight": 0.4, "noseSneerLeft": 0.4,
    "noseSneerRight": 0.4, "mouthClose": 0.5,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class FaceModel:
    """Shapes of expression and identity."""

    shapes: NDArray[
        np.float32
    ]  # (52, 478, 3): displacement for one unit, order of `arkit.NAMES`; tongueOut moves nothing
    identities: NDArray[np.float32]  # (k, 478, 3): displacement for one standard deviation
    seen: NDArray[np.float32]  # (52,) in (0, 1]: how much of each shape FaceMesh sees
    basis: NDArray[np.float32]  # (1434, 52): the shapes, z weighted
    gram: NDArray[np.float64]  # (52, 52) of the regularised fit

    @staticmethod
    def of(shapes: NDArray[np.float32], identities: NDArray[np.float32], seen: NDArray[np.float32]) -> FaceModel:
        """Prepare the fits."""
        basis = np.ascontiguousarray((shapes * axis_weights()).reshape(arkit.COUNT, -1).T)
        return FaceModel(shapes, identities, seen, basis, (basis.T @ basis).astype(np.float64) + np.diag(ridge()))

    def offsets(self, coefficients: arkit.Coefficients) -> lm.Points:
        """Displacement (478, 3) from neutral of an expression (52,). As ARKit means it, mouthClose takes back what jawOpen
        opened, and so counts no further than that."""
        shown = coefficients.astype(np.float32)
        shown[CLOSE] = min(shown[CLOSE], shown[OPEN])
        return (shown @ self.shapes.reshape(arkit.COUNT, -1)).reshape(-1, 3)

    def coefficients(
        self,
        offsets: lm.Points,
        start: arkit.Coefficients | None = None,
        weights: NDArray[np.float32] | None = None,
    ) -> arkit.Coefficients:
        """The expression (52,) in [0, 1] whose displacement is nearest to `offsets` (478, 3): least squares with a weight per
        point (478,), bounded, regularised, begun at `start`."""
        aim, basis, gram = (offsets * axis_weights()).ravel(), self.basis, self.gram
        if weights is not None:
            of_rows = np.repeat(weights, 3).astype(np.float32)
            basis, aim = basis * of_rows[:, None], aim * of_rows
            gram = (basis.T @ basis).astype(np.float64) + np.diag(ridge())
        wanted = (basis.T @ aim).astype(np.float64) - SPARSITY
        begin = np.zeros(arkit.COUNT) if start is None else start.astype(np.float64)
        return descend(gram, wanted, begin, np.zeros(arkit.COUNT), np.ones(arkit.COUNT), SWEEPS).astype(np.float32)


@cache
def axis_weights() -> NDArray[np.float32]:
    """(3,) weight of x, y and z."""
    return np.array([1.0, 1.0, DEPTH_WEIGHT], np.float32)


@cache
def ridge() -> NDArray[np.float64]:
    """(52,) what a unit of each shape costs, squared inter-ocular distances."""
    readiness = np.ones(arkit.COUNT)
    for name, value in READINESS.items():
        readiness[arkit.INDEX[name]] = value
    return (RIDGE / readiness) ** 2


@cache
def face_model() -> FaceModel:
    """The one face model."""
    table = face_table()
    shapes, identities = table["shapes"].astype(np.float32), table["identities"].astype(np.float32)
    return FaceModel.of(shapes, identities, table["seen"])

"""What FaceMesh makes of expressions, learnt from talking clips: shapes as this tracker sees them, not as a scan has them.

The kit's shapes are the start, as in Li, Weise and Pauly, "Example-based facial rigging", SIGGRAPH 2010: coefficients are fitted
with the shapes as they are, then the shapes to the coefficients, held near where they began.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.face import arkit
from engine.face import landmarks as lm
from engine.face.calibration import Candidate, most_relaxed
from engine.face.model import FaceModel
from engine.face.pose import fit_head
from tools.mean_face import mirrored

ROUNDS: Final = 2
HOLD: Final = 150.0  # a shape stays halfway to where it began when its squared coefficients sum up to this
FRAMES_A_CLIP: Final = 150
RIDGE: Final = 0.02
FARTHEST: Final = 1.0  # inter-ocular distances: a clip with larger displacements was tracked wrongly
BLINKS: Final = {
    "eyeBlinkRight": (2, lm.LID_PAIRS_LEFT),
    "eyeBlinkLeft": (3, lm.LID_PAIRS_RIGHT),
}  # row of `descriptors`


def clip_offsets(folder: Path, partner: NDArray[np.int32]) -> lm.Points:
    """(n, 478, 3) displacements from neutral in the clips of a folder, in the reference face's proportions, and mirrored."""
    found = []
    for path in sorted(folder.glob("*.landmarks.npz")):
        clip = np.load(path, allow_pickle=False)
        faces = clip["landmarks_px"][clip["found"]].astype(np.float32)
        neutral = most_relaxed([Candidate.of(face) for face in faces])
        poses = [fit_head(neutral.shape, face) for face in faces]
        offsets = np.stack([neutral.performance(p, p.invert(f)).offsets for p, f in zip(poses, faces, strict=True)])
        if np.abs(offsets).max() < FARTHEST:
            found.append(offsets[:: max(1, len(offsets) // FRAMES_A_CLIP)])
    both = np.concatenate(found)
    return np.concatenate([both, np.stack([mirrored(offsets, partner) for offsets in both])])


def descriptors(shape: lm.Points) -> list[float]:
    """What moves in a face (478, 3): lip gap, mouth width, openings of both lids (negated), brows, gaze across and down."""
    left, right = lm.lid_openings(shape)
    brows = (shape[lm.BROW_LEFT, 1].mean() + shape[lm.BROW_RIGHT, 1].mean()) / 2
    eyes = ((lm.IRIS_LEFT, lm.EYE_CORNERS_LEFT), (lm.IRIS_RIGHT, lm.EYE_CORNERS_RIGHT))
    gaze = np.mean([shape[iris[0]] - shape[list(corners)].mean(0) for iris, corners in eyes], axis=0)
    return [
        lm.lip_gap(shape),
        lm.distance(shape, *lm.MOUTH_CORNERS),
        -left,
        -right,
        float(-brows),
        *map(float, gaze[:2]),
    ]


def learn_blinks(shapes: NDArray[np.float32], mean: lm.Points, offsets: lm.Points) -> NDArray[np.float32]:
    """The shapes (52, 478, 3) with blinks by ridge regression of displacements on descriptors, as far as the lids meet."""
    x = np.array([descriptors(mean + o) for o in offsets]) - descriptors(mean)
    spread = x.std(0)
    x = x / spread
    by_unit = np.linalg.solve(x.T @ x + RIDGE * len(x) * np.eye(x.shape[1]), x.T @ offsets.reshape(len(x), -1))
    by_unit = (by_unit / spread[:, None]).reshape(-1, lm.COUNT, 3)
    result = shapes.copy()
    for name, (row, pairs) in BLINKS.items():
        blink = by_unit[row] * max(lm.lid_openings(mean))
        shut = mean + blink
        blink[pairs[:, 0]] += shut[pairs[:, 1]] - shut[pairs[:, 0]]
        result[arkit.INDEX[name]] = blink
    return result


def refine(shapes: NDArray[np.float32], offsets: lm.Points) -> NDArray[np.float32]:
    """The shapes (52, 478, 3) moved to what the clips show; blinks, which were learnt from them, stay."""
    learnt = shapes
    for _ in range(ROUNDS):
        model = FaceModel.of(learnt, shapes[:0], np.ones(arkit.COUNT, np.float32))
        c = np.stack([model.coefficients(o) for o in offsets]).astype(np.float64)
        wanted = c.T @ offsets.reshape(len(offsets), -1) + HOLD * shapes.reshape(arkit.COUNT, -1)
        found = np.linalg.solve(c.T @ c + HOLD * np.eye(arkit.COUNT), wanted)
        learnt = found.reshape(shapes.shape).astype(np.float32)
        for name in BLINKS:
            learnt[arkit.INDEX[name]] = shapes[arkit.INDEX[name]]
    return learnt

"""Index sets of MediaPipe FaceMesh with irises (478 points), and lengths measured on them.

"Left" and "right" are the viewer's: left is the side with the smaller x in an unmirrored picture.
Points 0-467 are skin, 468-472 the left iris (468 its centre), 473-477 the right one (473 its centre).
Topology: MediaPipe `face_mesh_connections.py` and `canonical_face_model.obj`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
Indices = NDArray[np.int32]

COUNT: Final = 478
SKIN_COUNT: Final = 468


def _indices(*values: int) -> Indices:
    return np.array(values, np.int32)


# Closed contours, in the order in which they are walked.
OVAL: Final = _indices(
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
LIPS_OUTER: Final = _indices(61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
LIPS_INNER: Final = _indices(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
EYE_LEFT: Final = _indices(33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
EYE_RIGHT: Final = _indices(263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
BROW_LEFT: Final = _indices(70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
BROW_RIGHT: Final = _indices(300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
IRIS_LEFT: Final = _indices(468, 469, 470, 471, 472)
IRIS_RIGHT: Final = _indices(473, 474, 475, 476, 477)

# Points that stay together when the face closes: (upper, lower), from one corner to the other.
LIP_PAIRS: Final = np.array(
    [(191, 95), (80, 88), (81, 178), (82, 87), (13, 14), (312, 317), (311, 402), (310, 318), (415, 324)],
    np.int32,
)
LID_PAIRS_LEFT: Final = np.array(
    [(246, 7), (161, 163), (160, 144), (159, 145), (158, 153), (157, 154), (173, 155)], np.int32
)
LID_PAIRS_RIGHT: Final = np.array(
    [(466, 249), (388, 390), (387, 373), (386, 374), (385, 380), (384, 381), (398, 382)], np.int32
)
MOUTH_CORNERS: Final = (61, 291)
EYE_CORNERS_LEFT: Final = (33, 133)  # outer, inner
EYE_CORNERS_RIGHT: Final = (263, 362)
CHIN: Final = _indices(152, 148, 377, 176, 400, 175, 199)

# Points that expression hardly moves: bridge of the nose, forehead, temples, eye corners, ears' side.
RIGID: Final = _indices(
    10, 151, 9, 8, 168, 6, 197, 195, 33, 133, 263, 362, 109, 338, 67, 297, 103, 332, 54, 284,
    21, 251, 162, 389, 127, 356, 234, 454, 93, 323, 244, 464, 188, 412, 193, 417,
)  # fmt: skip


def distance(points: NDArray[np.float32], a: int, b: int) -> float:
    """Distance of two landmarks, in the unit of `points`."""
    return float(np.linalg.norm(points[a] - points[b]))


def inter_ocular(points: NDArray[np.float32]) -> float:
    """Distance of the outer eye corners (the 300-W convention), in the unit of `points`."""
    return distance(points, EYE_CORNERS_LEFT[0], EYE_CORNERS_RIGHT[0])


def lid_opening(points: NDArray[np.float32], pairs: Indices, corners: tuple[int, int]) -> float:
    """Mean distance of the middle lid pairs over the width of the eye; about 0.3 open, under 0.1 shut."""
    middle = pairs[2:5]
    height = np.linalg.norm(points[middle[:, 0]] - points[middle[:, 1]], axis=1).mean()
    return float(height / max(distance(points, *corners), 1e-6))


def lid_openings(points: NDArray[np.float32]) -> tuple[float, float]:
    """`lid_opening` of the left and of the right eye."""
    return (
        lid_opening(points, LID_PAIRS_LEFT, EYE_CORNERS_LEFT),
        lid_opening(points, LID_PAIRS_RIGHT, EYE_CORNERS_RIGHT),
    )


def lip_gap(points: NDArray[np.float32]) -> float:
    """Mean distance of the inner lips at the middle three pairs, in the unit of `points`."""
    middle = LIP_PAIRS[3:6]
    return float(np.linalg.norm(points[middle[:, 0]] - points[middle[:, 1]], axis=1).mean())

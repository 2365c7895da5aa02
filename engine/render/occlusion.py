"""What lies in front of the performer's face: hair, rims of glasses, hands, cups, microphones stay in front of a swapped one.

A small network looks at the picture around the face, told where the face is and what it answered before (`models/renderer.py`,
`tools/train_occlusion.py`); MediaPipe's hands, where they are looked for, are a second opinion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.face.gesture import HandPoints
from engine.face.retarget import Target
from engine.render.crops import FACE, crop_matrix, to_crop
from engine.render.drawing import fill
from engine.render.generator import Runtime, loaded
from engine.render.patch import Region
from kernels.crop_normalise.cpu import crop
from models.config import CONFIGS
from models.runtimes import Network, load_network

STEADINESS: Final = 0.3  # of the answer before in each new one
HAND_ODDS: Final = 6.0  # times as likely is it that something is in front where a hand is seen
LIMBS: Final = (
    (0, 1), (1, 2), (2, 3), (3, 4), (0, 5), (5, 6), (6, 7), (7, 8), (5, 9), (9, 10), (10, 11), (11, 12),
    (9, 13), (13, 14), (14, 15), (15, 16), (13, 17), (17, 18), (18, 19), (19, 20), (0, 17),
)  # fmt: skip
THICK: Final = 0.2  # of a finger, palms
FINE: Final = 2.0  # pixels to one of the crop that are left at least of a picture that is shrunk first


class Occlusion:
    """Sees what is in front of one face, picture after picture. Use it from one thread."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._size = CONFIGS["occlusion"].size_px
        self._before: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None  # its answer, its crop's matrix

    def __call__(
        self, picture: NDArray[np.uint8], face: Target, region: Region, hands: Sequence[HandPoints] = ()
    ) -> NDArray[np.uint8]:
        """(height, width) of `region` of the picture: 255 where something lies in front of the face. `hands`: landmarks (21, 3)
        px of those that are seen."""
        matrix = crop_matrix(FACE, face, self._size)
        before = self._remembered(matrix)
        seen = crop_of(picture, matrix, self._size)
        around = contour(to_crop(face.landmarks_px, matrix), self._size)
        inputs = np.dstack([seen, around, (255 * before + 0.5).astype(np.uint8)])
        answer = self._network(inputs[None])[0, ..., 0]
        for hand in hands:
            answer = _more_likely(answer, to_crop(hand, matrix))
        if self._before is not None:
            answer = answer + np.float32(STEADINESS) * (before - answer)
        self._before = (answer.astype(np.float32), matrix)
        local = matrix.copy()
        local[:, 2] -= (region.left, region.top)
        sure = (255 * np.clip(2 * answer - 0.5, 0, 1) + 0.5).astype(np.uint8)
        spread = cv2.warpAffine(sure, local, (region.width, region.height), flags=cv2.INTER_LINEAR)
        return np.asarray(spread, np.uint8)

    def forget(self) -> None:
        """The next picture follows on nothing."""
        self._before = None

    def _remembered(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """The answer before, where its pixels lie in the new crop."""
        if self._before is None:
            return np.zeros((self._size, self._size), np.float32)
        answer, old = self._before
        back = cv2.invertAffineTransform(old.astype(np.float64))
        moved = np.column_stack([back[:, :2] @ matrix[:, :2], back[:, :2] @ matrix[:, 2] + back[:, 2]])
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(answer, moved, (self._size, self._size), flags=how), np.float32)


def load_occlusion(runtime: Runtime, tell: Callable[[str], object] = lambda reason: None) -> Network | None:
    """The shipped network; None and ConfigError as for `load_networks`."""
    return loaded(runtime, lambda name: load_network("occlusion", 1, name, tell)[0], tell)


def crop_of(picture: NDArray[np.uint8], matrix: NDArray[np.float32], size_px: int) -> NDArray[np.uint8]:
    """(size, size, 3): what the network sees of a picture. Where the face is large, whole blocks of pixels are averaged first,
    which is quicker than reading between the pixels all that one of the crop's covers."""
    block = int(np.hypot(matrix[0, 0], matrix[1, 0]) / FINE)
    if block < 2:
        return crop(picture, matrix, size_px)
    first, last = -0.5, size_px - 0.5
    corners = matrix @ np.array([[first, last, first, last], [first, first, last, last], [1, 1, 1, 1]]) + 0.5
    most = np.maximum(np.array(picture.shape[1::-1]) // block, 1)  # blocks across and down
    low = np.clip(corners.min(1) // block - 1, 0, most - 1).astype(int)  # with one around, to read between blocks
    high = np.clip(corners.max(1) // block + 2, low + 1, most).astype(int)
    (left, top), (right, bottom) = block * low, block * high
    small = cv2.resize(picture[top:bottom, left:right], (high - low).tolist(), interpolation=cv2.INTER_AREA)
    there = np.column_stack([matrix[:, :2], matrix[:, 2] - block * low + 0.5]) / block
    there[:, 2] -= 0.5
    return crop(np.asarray(small, np.uint8), there.astype(np.float32), size_px)


def contour(points: lm.Points, size_px: int) -> NDArray[np.uint8]:
    """(size, size): 255 inside the contour of a face at `points` (478, 2 or 3), pixels of a crop."""
    drawing = np.zeros((size_px, size_px), np.uint8)
    fill(drawing, points[lm.OVAL, :2])
    return drawing


def _more_likely(answer: NDArray[np.float32], hand: NDArray[np.float32]) -> NDArray[np.float32]:
    """The answer with better odds where a hand (21, 2) lies, in the crop's pixels."""
    palm = float(np.linalg.norm(hand[9] - hand[0]))
    drawing = np.zeros(answer.shape, np.uint8)
    cv2.fillConvexPoly(drawing, cv2.convexHull(hand[[0, 1, 5, 9, 13, 17]].round().astype(np.int32)), 255)
    for a, b in LIMBS:
        ends = [tuple(hand[i].round().astype(int).tolist()) for i in (a, b)]
        cv2.line(drawing, ends[0], ends[1], 255, max(1, round(THICK * palm)), cv2.LINE_AA)
    gain = 1 + (HAND_ODDS - 1) * (drawing.astype(np.float32) / 255)
    raised: NDArray[np.float32] = gain * answer / (1 + (gain - 1) * answer)
    return raised

"""A picture for a camera to film: strips between four markers, so that it can be read from any side.

A camera's exposure spans several refreshes of a screen, in which a single strip would blur with its successor. So there
are four strips and each refresh redraws only one, in turn: three of four stand still for some refreshes, and the newest
one that can be read is what the camera saw.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.latency.strip import Stamp, draw_cells, read_cells

SIZE_PX: Final = (1280, 800)
STRIPS: Final = 4
MARKER_PX: Final = 200
MARGIN_PX: Final = 40  # of white around the markers, without which they aren't found
STRIP_WIDTH_PX: Final = SIZE_PX[0] - 2 * MARGIN_PX
STRIP_HEIGHT_PX: Final = 72
STRIPS_TOP_PX: Final = MARGIN_PX + MARKER_PX + 16
CORNERS: Final = np.array(
    [
        (x, y)
        for y in (MARGIN_PX, SIZE_PX[1] - MARGIN_PX - MARKER_PX)
        for x in (MARGIN_PX, SIZE_PX[0] - MARGIN_PX - MARKER_PX)
    ]
)  # upper left corner of each marker
LEAST_MARKERS: Final = 3


def _dictionary() -> cv2.aruco.Dictionary:
    return cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)


def blank_target() -> NDArray[np.uint8]:
    """White, with the markers."""
    picture = np.full((SIZE_PX[1], SIZE_PX[0], 3), 255, np.uint8)
    for number, (x, y) in enumerate(CORNERS):
        marker = cv2.aruco.generateImageMarker(_dictionary(), number, MARKER_PX)
        picture[y : y + MARKER_PX, x : x + MARKER_PX] = marker[..., None]
    return picture


def _strip_top(number: int) -> int:
    return STRIPS_TOP_PX + number * STRIP_HEIGHT_PX


def stamp_target(picture: NDArray[np.uint8], stamp: Stamp) -> None:
    """Redraw the one strip whose turn it is, in place."""
    top = _strip_top(stamp.index % STRIPS)
    draw_cells(picture[top : top + STRIP_HEIGHT_PX, MARGIN_PX : MARGIN_PX + STRIP_WIDTH_PX], stamp)


class TargetReader:
    """Reads targets in camera pictures; keeps where the last one was, for pictures in which the markers are not found."""

    def __init__(self) -> None:
        self._detector = cv2.aruco.ArucoDetector(_dictionary(), _parameters())
        self._to_picture: NDArray[np.float64] | None = None

    def read(self, picture: NDArray[np.uint8]) -> Stamp | None:
        """The newest stamp that can be read in `picture` (height, width, 3); None where there is none."""
        found = self._find(picture)
        if found is not None:
            self._to_picture = found
        if self._to_picture is None:
            return None
        stamps = [self._strip(picture, number) for number in range(STRIPS)]
        return max((s for s in stamps if s is not None), key=lambda s: s.time_s, default=None)

    def _find(self, picture: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """Homography (3, 3) from the target's pixels to the picture's."""
        corners, numbers, _ = self._detector.detectMarkers(picture)
        if numbers is None:
            return None
        seen = {int(n): c.reshape(4, 2) for n, c in zip(numbers.ravel(), corners, strict=True) if int(n) < len(CORNERS)}
        if len(seen) < LEAST_MARKERS:
            return None
        square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * (MARKER_PX - 1)
        source = np.concatenate([CORNERS[n] + square for n in seen]).astype(np.float32)
        homography, _ = cv2.findHomography(source, np.concatenate(list(seen.values())))
        return None if homography is None else np.asarray(homography)

    def _strip(self, picture: NDArray[np.uint8], number: int) -> Stamp | None:
        assert self._to_picture is not None
        place = np.array([[1, 0, MARGIN_PX], [0, 1, _strip_top(number)], [0, 0, 1]], np.float64)
        flat = cv2.warpPerspective(
            picture,
            self._to_picture @ place,
            (STRIP_WIDTH_PX, STRIP_HEIGHT_PX),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        )
        return read_cells(np.asarray(flat, np.uint8), STRIP_HEIGHT_PX)


def _parameters() -> cv2.aruco.DetectorParameters:
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    return parameters

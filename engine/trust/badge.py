"""The visible mark: a few words in a corner that say what the picture is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.names import Corner
from kernels.composite.cpu import composite

FONT: Final = cv2.FONT_HERSHEY_DUPLEX
HEIGHT: Final = 0.042  # of the picture
LEAST_PX: Final = 14
MARGIN: Final = 0.5  # to the picture's edge, of the badge's height
DARK, LIGHT = 28, 236  # grey levels
OPACITY: Final = 0.72  # of the plate
OVERSAMPLING: Final = 4


@dataclass(frozen=True, slots=True)
class Badge:
    """Drawn once, laid over every picture."""

    layer: NDArray[np.uint8]  # (rows, columns, 3)
    matte: NDArray[np.uint8]  # (rows, columns)
    left: int
    top: int

    @classmethod
    def of(cls, text: str, corner: Corner, width_px: int, height_px: int) -> Badge:
        """A badge for pictures of one size; a text too wide for them is set smaller."""
        rows = max(LEAST_PX, round(HEIGHT * height_px))
        drawn = _drawn(text, rows * OVERSAMPLING)
        most = max(1, width_px - 2 * round(MARGIN * rows))
        scale = min(1 / OVERSAMPLING, most / drawn[0].shape[1])
        layer, matte = (
            np.asarray(cv2.resize(x, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8) for x in drawn
        )
        margin = round(MARGIN * rows)
        left = margin if corner.endswith("left") else width_px - margin - layer.shape[1]
        top = margin if corner.startswith("top") else height_px - margin - layer.shape[0]
        return cls(np.ascontiguousarray(np.repeat(layer[..., None], 3, -1)), matte, left, top)

    def draw(self, picture: NDArray[np.uint8]) -> None:
        """Lay it over a picture (height, width, 3), in place."""
        composite(picture, self.layer, self.matte, self.left, self.top)


def _drawn(text: str, rows: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Grey and matte, large."""
    scale = cv2.getFontScaleFromHeight(FONT, round(0.46 * rows), round(0.06 * rows))
    stroke = max(1, round(0.06 * rows))
    (width, height), _ = cv2.getTextSize(text, FONT, scale, stroke)
    layer = np.full((rows, width + rows), DARK, np.uint8)
    matte = np.zeros(layer.shape, np.uint8)
    radius = rows // 2
    cv2.line(
        matte, (radius, radius), (layer.shape[1] - radius - 1, radius), round(255 * OPACITY), rows - 2, cv2.LINE_AA
    )
    at = (radius, (rows + height) // 2)
    cv2.putText(layer, text, at, FONT, scale, LIGHT, stroke, cv2.LINE_AA)
    cv2.putText(matte, text, at, FONT, scale, 255, stroke, cv2.LINE_AA)
    return layer, matte

"""Another source, flipped left to right, as a mirror shows it."""

from __future__ import annotations

import cv2
import numpy as np

from engine.live.frame import Frame
from engine.live.pipeline import Source


class Mirrored:
    """A source, flipped."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def reconnected(self) -> int:
        """As the source has it."""
        return self._source.reconnected

    def read(self) -> Frame | None:
        """The next frame."""
        frame = self._source.read()
        return (
            None
            if frame is None
            else Frame(np.asarray(cv2.flip(frame.bgr, 1), np.uint8), frame.index, frame.captured_s)
        )

    def close(self) -> None:
        """Close the source."""
        self._source.close()

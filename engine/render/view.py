"""What a mode is: a way to draw a puppet's performance on a canvas of its own choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engine.face import arkit
from engine.face.model import face_model
from engine.face.performance import HeadMotion, Performance
from engine.face.safety import PuppetState
from engine.names import BlendName
from engine.render.quality import Quality
from engine.track.tracker import Tracked
from engine.trust.seal import Seal


@dataclass(frozen=True, slots=True)
class Shown:
    """What is to be drawn for a frame."""

    performance: Performance
    now_s: float  # monotonic, or of a file
    state: PuppetState = PuppetState.LIVE
    presence: float = 1.0  # 0 to 1: how much of the performer shows; 0 is the puppet at rest
    tracked: Tracked | None = None  # the frame that is answered, where the performer is seen in it


class View(Protocol):
    """A mode with a puppet, at the output's size. Use it from one thread."""

    blend: BlendName  # how a face is laid into its canvas; may be set from another thread

    def draw(self, shown: Shown, quality: Quality) -> NDArray[np.uint8]:
        """A new canvas (height, width, 3)."""
        ...

    def rehearse(self, quality: Quality) -> object:
        """Draw a picture as costly as usual, of which nothing is kept: to compile, and to be timed."""
        ...


@runtime_checkable
class SealingView(Protocol):
    """A view whose picture is elsewhere until it is done, and that seals it there."""

    @property
    def drawn_on(self) -> str:
        """What draws, for the report."""
        ...

    def draw_sealed(self, shown: Shown, quality: Quality, seal: Seal | None) -> NDArray[np.uint8]:
        """A new canvas (height, width, 3) with badge and mark."""
        ...


def talking() -> Performance:
    """An open mouth: what costs most to draw."""
    return Performance(HeadMotion.still(), face_model().offsets(arkit.coefficients({"jawOpen": 0.3})))

"""Performers before a camera, as the tests of the modes need them, and how pictures of them differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.face.performance import Performance
from engine.face.pose import fit_head
from engine.face.reference import reference_face
from engine.live.frame import Frame
from engine.render.face_layer import face_mask
from engine.render.patch import Region
from engine.track.tracker import Tracked

Picture = NDArray[np.uint8]


def seen(picture: Picture, landmarks_px: lm.Points, at_s: float = 0.0, index: int = 0) -> Tracked:
    """The performer before a camera, doing nothing."""
    pose = fit_head(reference_face().mean, landmarks_px)
    return Tracked(Frame(picture, index, at_s), landmarks_px, pose, Performance.neutral())


def lost(picture: Picture, at_s: float) -> Tracked:
    """Nobody before a camera."""
    return Tracked(Frame(picture, 0, at_s), None, None, None)


def size(tracked: Tracked) -> tuple[int, int]:
    """Width and height of its picture."""
    height, width = tracked.frame.bgr.shape[:2]
    return width, height


def inside(tracked: Tracked, inset: float = 0.0) -> NDArray[np.bool_]:
    """(height, width): where its face is."""
    assert tracked.landmarks_px is not None
    return face_mask(tracked.landmarks_px, Region(0, 0, *size(tracked)), inset) != 0


def apart(a: Picture, b: Picture) -> NDArray[np.float64]:
    """(height, width): how far two pictures differ, grey levels."""
    return np.abs(a.astype(int) - b).mean(-1)

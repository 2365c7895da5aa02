"""Performers before a camera, as the tests of the modes need them, faces of flat colours, and how pictures differ."""

from __future__ import annotations

import cv2
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
SIDE_PX, UNIT_PX = 256, 90.0  # of a face of flat colours
SKIN = (120, 140, 190)


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


def open_face(gap: float = 0.2) -> lm.Points:
    """Landmarks of a face whose lips are `gap` inter-ocular distances apart in the middle."""
    points = (reference_face().mean * np.float32(UNIT_PX) + np.float32([SIDE_PX / 2, 0.42 * SIDE_PX, 0])).astype(
        np.float32
    )
    across = np.sin(np.linspace(0, np.pi, len(lm.LIP_PAIRS) + 2))[1:-1].astype(np.float32)
    upper, lower = lm.LIP_PAIRS[:, 0], lm.LIP_PAIRS[:, 1]
    points[lower, 1] = points[upper, 1] + np.float32(gap) * across * np.float32(lm.inter_ocular(points))
    return points


def painted(points: lm.Points, inside: tuple[int, int, int]) -> Picture:
    """(SIDE_PX, SIDE_PX, 3): skin with what the inner lips surround in that colour."""
    picture = np.full((SIDE_PX, SIDE_PX, 3), SKIN, np.uint8)
    cv2.fillPoly(picture, [np.round(points[lm.LIPS_INNER, :2]).astype(np.int32)], inside)
    return picture

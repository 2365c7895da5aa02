"""Make a puppet from photographs: check each, crop it around the head, keep its landmarks."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.capture.pictures import read_picture
from engine.errors import PuppetError, SourceError
from engine.face import landmarks as lm
from engine.face.pose import euler_from_rotation, fit_head
from engine.face.reference import reference_face
from engine.puppet.consent import Consent
from engine.puppet.format import Puppet, Reference
from engine.track.facemesh import find_faces

SMALLEST_FACE_PX = 128
LARGEST_TURN_DEG = 35.0
SHUT_OPENING = 0.13  # share of the eye's width; an open eye has about 0.3
SHARP_ENOUGH = 14.0  # variance of the Laplacian on the face scaled to SHARPNESS_FACE_PX; portraits have 60 and more
SHARPNESS_FACE_PX = 160
HEADROOM, FOOTROOM, SIDEROOM = 1.9, 2.5, 3.8  # crop around the middle of the eyes, inter-ocular distances
TALLEST_PX = 1080


def make_puppet(photos: list[Path], name: str, consent: Consent, origin: str) -> Puppet:
    """A puppet of one or more photographs. PuppetError says which photograph can't be used and why."""
    references = tuple(reference_from_photo(_read(photo), str(photo)) for photo in photos)
    return Puppet(name, dt.date.today(), origin, consent, references)


def _read(photo: Path) -> NDArray[np.uint8]:
    try:
        return read_picture(photo)
    except SourceError as error:
        raise PuppetError(
            wanted=f"a photograph in {photo}", found=error.found, advice="Give a JPEG or PNG with one face."
        ) from error


def reference_from_photo(picture: NDArray[np.uint8], label: str) -> Reference:
    """Check a photograph (height, width, 3) BGR and crop it; `label` names it in a refusal."""
    landmarks = _only_face(picture, label)
    _refuse_unusable(picture, landmarks, label)
    cropped, left, top = _crop(picture, landmarks)
    landmarks = landmarks - np.array([left, top, 0], np.float32)
    scale = min(1.0, TALLEST_PX / cropped.shape[0])
    if scale < 1:
        cropped = np.asarray(cv2.resize(cropped, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return Reference(np.ascontiguousarray(cropped), (landmarks * np.float32(scale)).astype(np.float32))


def _only_face(picture: NDArray[np.uint8], label: str) -> lm.Points:
    faces = find_faces(picture)
    if not faces:
        raise PuppetError(
            wanted=f"one face in {label}", found="none", advice="Use a well-lit photograph from the front."
        )
    if len(faces) > 1:
        raise PuppetError(
            wanted=f"one face in {label}", found=f"{len(faces)}", advice="Crop the picture to one person."
        )
    return faces[0]


def _refuse_unusable(picture: NDArray[np.uint8], landmarks: lm.Points, label: str) -> None:
    width = float(np.ptp(landmarks[:, 0]))
    if width < SMALLEST_FACE_PX:
        raise PuppetError(
            wanted=f"a face at least {SMALLEST_FACE_PX} px wide in {label}",
            found=f"{width:.0f} px",
            advice="Use a larger or closer photograph.",
        )
    yaw, pitch, _ = euler_from_rotation(fit_head(reference_face().mean, landmarks).rotation)
    if max(abs(yaw), abs(pitch)) > LARGEST_TURN_DEG:
        raise PuppetError(
            wanted=f"a face turned at most {LARGEST_TURN_DEG:.0f} degrees in {label}",
            found=f"{abs(yaw):.0f} degrees sideways, {abs(pitch):.0f} up or down",
            advice="Use a photograph from the front.",
        )
    if min(lm.lid_openings(landmarks)) < SHUT_OPENING:
        raise PuppetError(
            wanted=f"open eyes in {label}", found="closed ones", advice="Use a photograph with both eyes open."
        )
    sharpness = _sharpness(picture, landmarks)
    if sharpness < SHARP_ENOUGH:
        raise PuppetError(
            wanted=f"a sharp face in {label} (at least {SHARP_ENOUGH:.0f})",
            found=f"a blurred one ({sharpness:.0f})",
            advice="Use a photograph in focus, without motion blur.",
        )


def _sharpness(picture: NDArray[np.uint8], landmarks: lm.Points) -> float:
    """Variance of the Laplacian of the face, at one size for all."""
    low = np.maximum(landmarks[:, :2].min(0), 0).astype(int)
    high = landmarks[:, :2].max(0).astype(int) + 1
    face = cv2.cvtColor(picture[low[1] : high[1], low[0] : high[0]], cv2.COLOR_BGR2GRAY)
    scale = SHARPNESS_FACE_PX / face.shape[1]
    face = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return float(cv2.Laplacian(face, cv2.CV_64F).var())


def _crop(picture: NDArray[np.uint8], landmarks: lm.Points) -> tuple[NDArray[np.uint8], int, int]:
    """The head with room around it, and where it lay."""
    height, width = picture.shape[:2]
    unit = lm.inter_ocular(landmarks)
    x, y = landmarks[[33, 133, 263, 362], :2].mean(0)
    top, bottom = max(0, int(y - HEADROOM * unit)), min(height, int(y + FOOTROOM * unit))
    left, right = max(0, int(x - SIDEROOM * unit)), min(width, int(x + SIDEROOM * unit))
    return picture[top:bottom, left:right], left, top

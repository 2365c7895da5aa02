"""Make a puppet from a clip: find its longest unbroken stretch of one face, and everything in it that takes time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.capture.video_file import VideoFile
from engine.errors import PuppetError, SourceError
from engine.face import arkit
from engine.face import landmarks as lm
from engine.face.calibration import WINDOW_S, Calibration, Neutral
from engine.face.light import fit_light
from engine.face.performance import Performance
from engine.face.pose import euler_from_rotation, fit_head
from engine.live.frame import Frame
from engine.puppet.clip import MOST_BYTES, MOST_FRAMES, Analysis, Clip, decoded, encoded
from engine.puppet.consent import Consent
from engine.puppet.format import Puppet, Reference
from engine.puppet.make import SHUT_OPENING, SMALLEST_FACE_PX, TALLEST_PX
from engine.track.facemesh import FaceDetector, find_faces
from engine.track.footage import neutral_among
from engine.track.lock import REACH_FACES, Place
from engine.track.tracker import Tracker

SHORTEST_S: Final = 1.0
CUT: Final = 28.0  # grey levels by which a whole picture changes, on average, from one frame to the next
CUT_PX: Final = 32  # side of what is compared
COUNT_EVERY: Final = 10  # frames in which all faces are counted
OTHER_SIZE: Final = 0.5  # of the largest face: one that large is a second person
MOST_MOUTHS, MOST_EYES, MOST_REFERENCES = 48, 8, 5
APART: Final = 0.008  # mouths nearer than this, mean over the lips' points in inter-ocular distances, are one


@dataclass(frozen=True, slots=True)
class Found:
    """What a clip was made into, and what was left out of it."""

    puppet: Puppet
    first: int  # frame of the file
    left_out: int  # frames of the file
    others: int  # of the frames that were looked through, how many show a second person
    ended: str | None = None  # why it was not looked through to its end


@dataclass(slots=True)
class _Seen:
    """A frame's picture, kept small, and its face."""

    jpeg: bytes
    time_s: float
    landmarks_px: lm.Points | None
    cut: bool  # it follows on something else


def make_clip_puppet(
    path: Path, name: str, consent: Consent, progress: Callable[[int, int | None], None] = lambda done, total: None
) -> Found:
    """A puppet whose canvas is a clip. PuppetError says why a clip can't be used."""
    seen, rate_hz, others, ended = _look_through(path, progress)
    first, last = longest_stretch([s.landmarks_px is not None for s in seen], [s.cut for s in seen])
    stretch = seen[first:last]
    if len(stretch) < SHORTEST_S * rate_hz:
        raise PuppetError(
            wanted=f"a face for {SHORTEST_S:g} s without a cut in {path}",
            found=f"{len(stretch) / rate_hz:.1f} s at most",
            advice="Use a longer clip in which the face stays in the picture.",
        )
    _refuse_small(path, stretch)
    analysis = _analyse(stretch, rate_hz)
    clip = Clip(tuple(s.jpeg for s in stretch), rate_hz, analysis)
    puppet = Puppet(name, dt.date.today(), f"clip: {path.name}", consent, _references(clip), clip)
    return Found(puppet, first, len(seen) - len(stretch), others, ended)


def is_clip(path: Path) -> bool:
    """The file is a moving picture. (A picture is a video of one frame to FFmpeg.)"""
    try:
        video = VideoFile(path)
    except SourceError:
        return False
    try:
        return sum(1 for _, _ in zip(range(2), video, strict=False)) > 1
    except SourceError:
        return False
    finally:
        video.close()


def longest_stretch(present: list[bool], cuts: list[bool]) -> tuple[int, int]:
    """First and end of the longest run of frames with a face and without a cut; the earliest of several."""
    best, begin = (0, 0), 0
    for i, (here, cut) in enumerate(zip(present, cuts, strict=True)):
        if not here:
            begin = i + 1
        elif cut:
            begin = i
        if i + 1 - begin > best[1] - best[0]:
            best = (begin, i + 1)
    return best


def _look_through(
    path: Path, progress: Callable[[int, int | None], None]
) -> tuple[list[_Seen], float, int, str | None]:
    try:
        video = VideoFile(path)
    except SourceError as error:
        raise PuppetError(
            wanted=f"a clip in {path}", found=error.found, advice="Give a video of one person."
        ) from error
    tracker, detector = Tracker(), FaceDetector()
    seen: list[_Seen] = []
    before: NDArray[np.uint8] | None = None
    others = stored_bytes = 0
    ended: str | None = None
    try:
        for frame in video:
            if len(seen) == MOST_FRAMES or stored_bytes > MOST_BYTES:
                ended = "a puppet holds no more"
                break
            bgr = _bounded(frame.bgr)
            small = cv2.resize(bgr, (CUT_PX, CUT_PX), interpolation=cv2.INTER_AREA)
            cut = before is not None and float(cv2.absdiff(small, before).mean()) > CUT
            before = small
            face = tracker.find(Frame(bgr, frame.index, frame.captured_s))
            if face is not None and frame.index % COUNT_EVERY == 0:
                others += _second_person(bgr, face, detector(bgr))
            seen.append(_Seen(encoded(bgr), frame.captured_s, face, cut))
            stored_bytes += len(seen[-1].jpeg)
            progress(len(seen), video.frames)
    except SourceError as error:
        raise PuppetError(
            wanted=f"a clip in {path}", found=error.found, advice="Give a video of one person."
        ) from error
    finally:
        tracker.close()
        detector.close()
        video.close()
    return seen, video.rate_hz, others, "the file is damaged there" if video.damaged else ended


def _second_person(bgr: NDArray[np.uint8], actor_px: lm.Points, faces: NDArray[np.float32]) -> bool:
    """One of the detected faces (n, 3: x, y, size) is somebody else's than the actor's, about as large, and no mistake of the
    detector, which sees faces in hair: landmarks are found on it as well."""
    actor = Place.of(actor_px)
    places = [Place(*map(float, face)) for face in faces]
    largest = max((place.size for place in places), default=0.0)
    suspected = any(actor.away(place) > REACH_FACES and place.size > OTHER_SIZE * largest for place in places)
    return suspected and any(actor.away(Place.of(found)) > REACH_FACES for found in find_faces(bgr))


def _bounded(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = TALLEST_PX / bgr.shape[0]
    if scale >= 1:
        return bgr
    return np.asarray(cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _refuse_small(path: Path, stretch: list[_Seen]) -> None:
    widths = [float(np.ptp(s.landmarks_px[:, 0])) for s in stretch if s.landmarks_px is not None]
    if float(np.median(widths)) < SMALLEST_FACE_PX / 2:
        raise PuppetError(
            wanted=f"a face at least {SMALLEST_FACE_PX // 2} px wide in {path}",
            found=f"{np.median(widths):.0f} px",
            advice="Use a larger clip, or one that is nearer to the face.",
        )


def _analyse(stretch: list[_Seen], rate_hz: float) -> Analysis:
    faces = [s.landmarks_px for s in stretch if s.landmarks_px is not None]
    neutral = neutral_among(faces[: max(1, round(WINDOW_S * rate_hz))])
    tracker = Tracker(Calibration(neutral, window_s=0.0))
    offsets, coefficients, lights = [], [], []
    for index, (s, face) in enumerate(zip(stretch, faces, strict=True)):
        picture = decoded(s.jpeg)
        tracked = tracker.read(Frame(picture, index, s.time_s), face)
        performance = tracked.performance or Performance.neutral()
        offsets.append(performance.offsets)
        coefficients.append(np.zeros(arkit.COUNT, np.float32) if tracked.coefficients is None else tracked.coefficients)
        lights.append(fit_light(picture, face).harmonics)
    tracker.close()
    landmarks = np.stack(faces).astype(np.float32)
    return Analysis(
        landmarks, np.stack(offsets).astype(np.float32), np.stack(coefficients).astype(np.float32),
        np.stack(lights).astype(np.float32), neutral.shape, different_mouths(landmarks, neutral),
        _open_eyes(landmarks, neutral),
    )  # fmt: skip


def lips_of(landmarks_px: NDArray[np.float32], neutral: lm.Points) -> NDArray[np.float32]:
    """(n, 80) where the lips' points lie on faces (n, 478, 3) px: canonical x and y."""
    lips = np.concatenate([lm.LIPS_OUTER, lm.LIPS_INNER])
    return np.stack([fit_head(neutral, p).invert(p)[lips, :2].ravel() for p in landmarks_px])


def different_mouths(landmarks_px: NDArray[np.float32], neutral: Neutral) -> NDArray[np.int32]:
    """Frames whose mouths are as different as can be: each the farthest from those before it (Gonzalez, 1985)."""
    lips = lips_of(landmarks_px, neutral.shape)
    chosen = [int(np.argmax(np.abs(lips - lips.mean(0)).mean(1)))]
    away = np.abs(lips - lips[chosen[0]]).mean(1)
    while len(chosen) < min(MOST_MOUTHS, len(lips)) and away.max() > APART:
        chosen.append(int(np.argmax(away)))
        away = np.minimum(away, np.abs(lips - lips[chosen[-1]]).mean(1))
    return np.array(sorted(chosen), np.int32)


def _open_eyes(landmarks_px: NDArray[np.float32], neutral: Neutral) -> NDArray[np.int32]:
    """Frames with open eyes, in turns of the head that differ as much as can be."""
    lids = np.array([min(lm.lid_openings(p)) for p in landmarks_px])
    wide = np.flatnonzero(lids >= np.percentile(lids, 60))
    turns = np.array([euler_from_rotation(fit_head(neutral.shape, landmarks_px[i]).rotation) for i in wide])
    chosen = [int(np.argmin(np.abs(turns - turns.mean(0)).sum(1)))]
    while len(chosen) < min(MOST_EYES, len(wide)):
        away = np.min([np.abs(turns - turns[c]).sum(1) for c in chosen], axis=0)
        if away.max() < 3.0:
            break
        chosen.append(int(np.argmax(away)))
    return np.array(sorted(int(wide[c]) for c in chosen), np.int32)


def _references(clip: Clip) -> tuple[Reference, ...]:
    """Frames that stand for the actor as photographs: the calmest first, then as different ones as there are."""
    found = clip.analysis
    unrest = np.abs(found.offsets).mean((1, 2))
    turns = np.array([euler_from_rotation(fit_head(found.neutral, p).rotation) for p in found.landmarks_px])
    shut = np.array([min(lm.lid_openings(p)) < SHUT_OPENING for p in found.landmarks_px])
    calm = unrest / max(float(unrest.max()), 1e-6) + np.abs(turns[:, :2]).sum(1) / 30 + 10 * shut
    chosen = [int(np.argmin(calm))]
    looks = np.column_stack([turns[:, :2] / 12, 100 * unrest])
    while len(chosen) < MOST_REFERENCES:
        away = np.min([np.linalg.norm(looks - looks[c], axis=1) for c in chosen], axis=0)
        away[shut] = 0
        if away.max() < 1.0:
            break
        chosen.append(int(np.argmax(away)))
    return tuple(Reference(clip.picture(i), found.landmarks_px[i]) for i in chosen)

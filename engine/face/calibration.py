"""The performer's neutral face: what every performance is measured from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.face.own_expression import take_off_smile
from engine.face.performance import HeadMotion, Performance
from engine.face.pose import Pose, euler_from_rotation, fit_head, fit_similarity
from engine.face.proportions import expressiveness, gains
from engine.face.reference import reference_face

WINDOW_S = 2.0
RELAXED_SHARE = 0.2  # of the window's frames make the neutral
ARRIVAL = 8  # time constants after which the hand-over is over
BUILD = np.concatenate([lm.RIGID, lm.EYE_LEFT, lm.EYE_RIGHT, lm.BROW_LEFT, lm.BROW_RIGHT])
MORE_RELAXED = 0.02  # inter-ocular distances: lips that lie closer by that are a better neutral than a remembered one
SAME_PERSON = 0.018  # inter-ocular distances; 99 in 100 photographs of one adult lie nearer, 7 in 10 of another further
OTHER_MOUTH = 0.03  # inter-ocular distances between shut lips; a smile of 0.3 moves them as far
HAND_OVER_S = 0.4  # time constant with which a better neutral takes over


@dataclass(frozen=True)
class Neutral:
    """A performer at rest. What performances need of it is computed for the first of them: a search makes many neutrals."""

    shape: lm.Points  # (478, 3) canonical
    pose: Pose  # how the head stood

    @cached_property
    def carried(self) -> NDArray[np.float32]:
        """(478, 3) what displacements are told in."""
        return expressiveness() * gains(self.shape, reference_face().mean)

    @cached_property
    def rest_deg(self) -> tuple[float, float, float]:
        """Yaw, pitch and roll of the head."""
        return euler_from_rotation(self.pose.rotation)

    @staticmethod
    def of(landmarks_px: lm.Points) -> Neutral:
        """Take one set of landmarks (478, 3) px as neutral."""
        pose = fit_head(reference_face().mean, landmarks_px)
        return Neutral(pose.invert(landmarks_px), pose)

    def towards(self, other: Neutral, share: float) -> Neutral:
        """This neutral moved by `share` (0 to 1) to another one."""
        a, b, s = self.pose, other.pose, np.float32(share)
        mixed = a.rotation + s * (b.rotation - a.rotation)
        rotation = fit_similarity(np.eye(3, dtype=np.float32), mixed.T.astype(np.float32)).rotation
        pose = Pose(
            rotation, a.translation + s * (b.translation - a.translation), a.scale + share * (b.scale - a.scale)
        )
        return Neutral(self.shape + s * (other.shape - self.shape), pose)

    def without_smile(self) -> Neutral:
        """This neutral with a smile that lasted through the search told from how the face is made, and taken off."""
        return Neutral(take_off_smile(self.shape), self.pose)

    def performance(self, pose: Pose, shape: lm.Points) -> Performance:
        """What a face of canonical `shape` (478, 3) at `pose` does, relative to this neutral."""
        offsets = self.carried * (shape - self.shape)
        now, rest = euler_from_rotation(pose.rotation), self.rest_deg
        head = HeadMotion(
            (now[0] - rest[0], now[1] - rest[1], now[2] - rest[2]),
            ((pose.translation - self.pose.translation) / self.pose.scale).astype(np.float32),
            pose.scale / self.pose.scale,
            rest,
        )
        return Performance(head, offsets.astype(np.float32))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A face that may be the neutral one, and how restless it is."""

    neutral: Neutral
    turn_deg: float  # yaw and pitch, added up
    lip_gap: float  # inter-ocular distances
    lids: float  # opening of the eye that is more closed, in eye widths
    mouth_width: float  # inter-ocular distances

    @staticmethod
    def of(landmarks_px: lm.Points) -> Candidate:
        """Measure landmarks (478, 3) px."""
        neutral = Neutral.of(landmarks_px)
        yaw, pitch, _ = euler_from_rotation(neutral.pose.rotation)
        return Candidate(
            neutral,
            abs(yaw) + abs(pitch),
            lm.lip_gap(neutral.shape),
            min(lm.lid_openings(neutral.shape)),
            lm.distance(neutral.shape, *lm.MOUTH_CORNERS),
        )


class Calibration:
    """Finds the neutral in the first seconds: the mean of the most frontal, most relaxed frames.

    The first face seen is neutral at once, so that a puppet starts at rest; what is found later takes over smoothly.
    """

    def __init__(
        self, fixed: Neutral | None = None, window_s: float = WINDOW_S, remembered: Neutral | None = None
    ) -> None:
        """With `fixed` nothing is searched; with a window of 0 the first face is the neutral one. `remembered` is that of an
        earlier run: its shape is used from the first face on, and kept if what is found looks like the same person's."""
        self._window_s = window_s
        self._remembered = remembered
        self._current = fixed
        self._aim = fixed
        self._samples: list[Candidate] = []
        self._started_s: float | None = None
        self._updated_s = self._settled_s = 0.0
        self._fixed = fixed is not None
        self._again = self._asked = False
        self.settled = fixed is not None
        self._before: Neutral | None = None  # of who performed until somebody, maybe the same, took over
        self.strangers = 0  # how often a search found another than who was known
        self.changed = False  # somebody else took over since the start or the last recapture

    def recapture(self) -> None:
        """Search again from the next face on, handing over smoothly. May be called from any thread."""
        self._again = self._asked = True
        self.changed = False

    @property
    def neutral(self) -> Neutral | None:
        """What is neutral, or will be at the end of a hand-over; None before the first face."""
        return self._aim

    def performer_changed(self) -> None:
        """Somebody else may perform now: search again, unless the neutral was given."""
        if not self._fixed:
            self._before = self._aim if self.settled else self._before  # who passed by in a search is nobody
            self._again, self._asked = True, False

    def _recognised(self, found: Neutral) -> Neutral:
        """What is found, with a known shape, the newest first, where that may be the same person's."""
        before, remembered = self._before, self._remembered
        if before is not None and _may_stay(before.shape, found.shape) and not _other_mouth(before.shape, found.shape):
            return Neutral(before.shape, found.pose)
        if remembered is not None and _may_stay(remembered.shape, found.shape):
            return Neutral(remembered.shape, found.pose)
        return found

    def _compare(self, found: Neutral) -> None:
        """A search is over: is it who was known?"""
        known = self._before or self._remembered
        if known is not None and not self._asked and not alike(known.shape, found.shape):
            self.strangers += 1
            self.changed = self._before is not None
        self._before = None

    def update(self, landmarks_px: lm.Points, now_s: float) -> Neutral:
        """Learn from a face seen at `now_s`; returns the neutral to use for it."""
        if self._again:
            self._again, self._samples, self._started_s, self.settled = False, [], None, False
        if self._started_s is None:
            self._started_s = self._updated_s = now_s
        if not self.settled:
            self._samples.append(Candidate.of(landmarks_px))
            found = most_relaxed(self._samples)
            self._aim = found if self._asked else self._recognised(found.without_smile())
            self.settled = now_s - self._started_s >= self._window_s
            self._settled_s = now_s
            if self.settled:
                self._compare(found)
        if self._current is None or self._aim is None:
            self._current = self._aim = self._recognised(Neutral.of(landmarks_px))
        elif self._current is not self._aim:
            share = 1 - float(np.exp(-max(0.0, now_s - self._updated_s) / HAND_OVER_S))
            arrived = self.settled and now_s - self._settled_s > ARRIVAL * HAND_OVER_S
            self._current = self._aim if arrived else self._current.towards(self._aim, share)
        self._updated_s = now_s
        return self._current


def _may_stay(known: lm.Points, found: lm.Points) -> bool:
    """A known neutral shape (478, 3) may be of who was found, and is as relaxed."""
    return alike(known, found) and lm.lip_gap(known) <= lm.lip_gap(found) + MORE_RELAXED


def _other_mouth(known: lm.Points, found: lm.Points) -> bool:
    """Both mouths are shut, and lie elsewhere: three in ten of other people are `alike`."""
    if lm.lip_gap(found) > lm.lip_gap(known) + MORE_RELAXED:
        return False
    return float(np.linalg.norm((known - found)[lm.LIPS_OUTER, :2], axis=1).mean()) > OTHER_MOUTH


def alike(a: lm.Points, b: lm.Points) -> bool:
    """Two neutral shapes (478, 3) may be the same person's: eyes, brows and what expression hardly moves lie alike."""
    return float(np.linalg.norm((a - b)[BUILD, :2], axis=1).mean()) <= SAME_PERSON


def most_relaxed(candidates: list[Candidate]) -> Neutral:
    """Mean of the candidates with the straightest head, closed lips and both eyes open as usual."""
    turns, gaps, lids, widths = np.array([(c.turn_deg, c.lip_gap, c.lids, c.mouth_width) for c in candidates]).T
    usual_lids, usual_width = np.percentile(lids, 75), np.median(widths)
    unrest = turns / 40 + 3 * gaps + 2 * np.abs(lids - usual_lids) + np.abs(widths - usual_width)
    best = np.argsort(unrest, kind="stable")[: max(1, round(RELAXED_SHARE * len(candidates)))]
    chosen = [candidates[i].neutral for i in best]
    shape = np.mean([n.shape for n in chosen], axis=0, dtype=np.float32)
    pose = Pose(
        _nearest_rotation(np.mean([n.pose.rotation for n in chosen], axis=0)),
        np.mean([n.pose.translation for n in chosen], axis=0, dtype=np.float32),
        float(np.mean([n.pose.scale for n in chosen])),
    )
    return Neutral(shape, pose)


def _nearest_rotation(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rotation nearest to a mean of rotations."""
    return fit_similarity(np.eye(3, dtype=np.float32), matrix.T.astype(np.float32)).rotation

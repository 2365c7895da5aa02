"""Is it really you: the camera sees the face of the photographs do, live, what it is asked to.

A photograph held before the camera does not turn its head, open its mouth and shut its eyes in an order that is drawn when it is
asked; a film of somebody doing all of it, or another program's puppet, can pass. The faces are compared by dlib's recognition
network; how often it errs is measured by `mimicam bench identity`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConsentError
from engine.face import landmarks as lm
from engine.face.landmarks import Points
from engine.live.frame import Frame

TASKS_ASKED: Final = 3
PATIENCE_S: Final = 15.0  # for a task
LONGEST_GAP_S: Final = 0.5  # without the face
LARGEST_JUMP: Final = 0.6  # from one picture to the next, inter-ocular distances: another face was put there
TURNED: Final = 0.16  # how far the tip of the nose goes sideways, inter-ocular distances: some 20 degrees
STRAIGHT: Final = 0.07
OPEN_MOUTH: Final = 0.22  # inter-ocular distances
SHUT_MOUTH: Final = 0.05
SHUT_EYES, OPEN_EYES = 0.13, 0.18  # lid openings
HELD_S: Final = 0.2
SAME: Final = 0.5  # distance of two descriptions up to which they are of one person; dlib's authors take 0.6

Description = NDArray[np.float64]  # (128,)
Measure = Callable[[Points, Points], bool]  # a face now and the face at rest, to: it does it


class Recogniser(Protocol):
    """Describes faces so that those of one person lie near each other."""

    def __call__(self, picture: NDArray[np.uint8], landmarks: Points) -> Description:
        """Of a face with landmarks (478, 3) px in a picture (height, width, 3) BGR."""
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do before the camera."""

    words: str
    done: Measure


def nose_aside(points: Points) -> float:
    """How far the tip of the nose lies to the right of the middle of the eyes in the picture, inter-ocular distances."""
    middle = points[[lm.EYE_CORNERS_LEFT[0], lm.EYE_CORNERS_RIGHT[0]], 0].mean()
    return float((points[1, 0] - middle) / lm.inter_ocular(points))


def _mouth(points: Points) -> float:
    return lm.lip_gap(points) / lm.inter_ocular(points)


TASKS: Final = (
    Task("turn your head to your left", lambda now, rest: nose_aside(now) - nose_aside(rest) > TURNED),
    Task("turn your head to your right", lambda now, rest: nose_aside(now) - nose_aside(rest) < -TURNED),
    Task("open your mouth wide", lambda now, rest: _mouth(now) > OPEN_MOUTH),
    Task("shut both eyes for a moment", lambda now, rest: max(lm.lid_openings(now)) < SHUT_EYES),
)
REST: Final = Task(
    "look into the camera, mouth shut",
    lambda now, rest: (
        abs(nose_aside(now)) < STRAIGHT and _mouth(now) < SHUT_MOUTH and min(lm.lid_openings(now)) > OPEN_EYES
    ),
)


def drawn_tasks() -> list[Task]:
    """Some tasks in an order that nobody knows before."""
    return secrets.SystemRandom().sample(TASKS, TASKS_ASKED)


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture of somebody at rest."""

    picture: NDArray[np.uint8]
    landmarks: Points


def watch(
    faces: Iterator[tuple[Frame, Points | None]], tasks: Sequence[Task], tell: Callable[[str], object]
) -> list[Seen]:
    """Ask for each task, with a rest before and after it. A picture of each rest. ConsentError where it isn't done."""
    steady = _steady(faces)
    seen = [_asked(steady, REST, None, tell)]
    for task in tasks:
        _asked(steady, task, seen[0].landmarks, tell)
        seen.append(_asked(steady, REST, None, tell))
    return seen


def require_same(live: Sequence[Seen], photographs: Sequence[Seen], recognise: Recogniser) -> None:
    """ConsentError where the photographs show another person than all of the live pictures do."""
    before_camera = [recognise(s.picture, s.landmarks) for s in live]
    for one, other in pairwise(before_camera):
        if apart(one, other) > SAME:
            raise _refused(f"two persons took turns (distance {apart(one, other):.2f}, at most {SAME})")
    for photograph in photographs:
        there = recognise(photograph.picture, photograph.landmarks)
        furthest = max(apart(there, here) for here in before_camera)
        if furthest > SAME:
            raise _refused(f"somebody else than on the photograph (distance {furthest:.2f}, at most {SAME})")


def apart(one: Description, other: Description) -> float:
    """Distance of two descriptions."""
    return float(np.linalg.norm(one - other))


def _asked(
    faces: Iterator[tuple[Frame, Points | None]], task: Task, rest: Points | None, tell: Callable[[str], object]
) -> Seen:
    tell(f"Please {task.words}.")
    began_s: float | None = None
    since_s: float | None = None
    for frame, points in faces:
        began_s = frame.captured_s if began_s is None else began_s
        if points is None or not task.done(points, points if rest is None else rest):
            since_s = None
        elif since_s is None:
            since_s = frame.captured_s
        if points is not None and since_s is not None and frame.captured_s - since_s >= HELD_S:
            return Seen(frame.bgr, points)
        if frame.captured_s - began_s > PATIENCE_S:
            raise _refused(f"within {PATIENCE_S:.0f} s it did not {task.words.replace('your', 'its')}")
    raise _refused("the pictures ended")


def _steady(faces: Iterator[tuple[Frame, Points | None]]) -> Iterator[tuple[Frame, Points | None]]:
    """The faces, as long as it is one that stays, once there was one."""
    last: tuple[Frame, Points] | None = None
    for frame, points in faces:
        if last is not None and frame.captured_s - last[0].captured_s > LONGEST_GAP_S:
            raise _refused("the face went away")
        if last is not None and points is not None:
            moved = np.linalg.norm((points - last[1])[lm.OVAL, :2].mean(0)) / lm.inter_ocular(points)
            if moved > LARGEST_JUMP:
                raise _refused("the face jumped: another one was put there, or it was moved too fast")
        last = last if points is None else (frame, points)
        yield frame, points


def _refused(found: str) -> ConsentError:
    return ConsentError(
        wanted="yourself before the camera, doing what is asked",
        found=found,
        advice="Sit in good light and try again; for somebody else's face take --consent agreement:FILE.",
    )

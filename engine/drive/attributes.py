"""Attributes: sliders that act on top of what is performed, as GANimation edits expressions by their action units.

Pumarola et al., "GANimation: Anatomically-aware Facial Animation from a Single Image", ECCV 2018: an expression is edited by
adding to its units. Here the units are ARKit's, and what a slider adds is bounded with the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final, get_args

import numpy as np

from engine.drive.called import with_expression
from engine.face import arkit
from engine.face import landmarks as lm
from engine.face.model import face_model
from engine.face.performance import HeadMotion, Performance
from engine.names import SliderName
from engine.output.window import Slider
from engine.track.tracker import Tracked

GAZE: Final[SliderName] = "gaze"  # to the camera, wherever the head turns
LOOK_DEG: Final = 30.0  # of the eyes, for a look of 1
SLIDERS: Final[Mapping[SliderName, tuple[Mapping[str, float], Mapping[str, float]]]] = {  # what 1 adds, and what -1
    "smile": (arkit.both(mouthSmile=0.7, cheekSquint=0.3), arkit.both(mouthFrown=0.7)),
    "brows": (arkit.both(browOuterUp=0.7) | {"browInnerUp": 0.7}, arkit.both(browDown=0.8)),
    "lids": (arkit.both(eyeWide=0.8), arkit.both(eyeBlink=0.7)),
    "jaw": ({"jawOpen": 0.6}, {}),
    "lips": ({"mouthPucker": 0.8}, arkit.both(mouthStretch=0.6)),
}
NAMES: Final[tuple[SliderName, ...]] = get_args(SliderName)
assert {*SLIDERS, GAZE} == {*NAMES}


class Attributes:
    """Sliders from -1 to 1; `gaze` from 0 to 1. `set` may be called from any thread."""

    def __init__(self, values: Mapping[SliderName, float] | None = None) -> None:
        """KeyError for a slider that there is not."""
        self._lock = threading.Lock()
        self._values = dict.fromkeys(NAMES, 0.0)
        for name, value in (values or {}).items():
            self.set(name, value)

    def set(self, name: SliderName, value: float) -> None:
        """Move a slider; KeyError: there is none of this name."""
        with self._lock:
            if name not in self._values:
                raise KeyError(name)
            self._values[name] = float(np.clip(value, 0.0 if name == GAZE else -1.0, 1.0))

    @property
    def values(self) -> dict[SliderName, float]:
        """Where the sliders are."""
        with self._lock:
            return dict(self._values)

    def sliders(self) -> list[Slider]:
        """For a window."""
        values = self.values
        return [
            Slider(name, 0.0 if name == GAZE else -1.0, 1.0, values[name], partial(self.set, name)) for name in NAMES
        ]

    def __call__(self, tracked: Tracked) -> Tracked:
        """What is performed, edited; a lost performer stays lost."""
        values = self.values
        if tracked.performance is None or not any(values.values()):
            return tracked
        added = sum_of(values)
        edited = with_expression(tracked, tracked.performance, added) if added.any() else tracked
        if not values[GAZE] or edited.performance is None:
            return edited
        return replace(edited, performance=_looking(edited.performance, values[GAZE]))


def sum_of(values: Mapping[SliderName, float]) -> arkit.Coefficients:
    """(52,) what the sliders add together; what one takes away shows as the opposite expression."""
    total = np.zeros(arkit.COUNT, np.float32)
    for name, (up, down) in SLIDERS.items():
        value = values[name]
        amounts = up if value > 0 else down
        total += np.float32(abs(value)) * arkit.coefficients(dict(amounts))
        if value < 0:
            total -= np.float32(-value) * arkit.coefficients(dict(up))
    return total


def _looking(performance: Performance, share: float) -> Performance:
    """The irises `share` of the way to the camera from where they look."""
    offsets = performance.offsets.copy()
    aim = face_model().offsets(look_at_camera(performance.head))
    irises = slice(lm.SKIN_COUNT, lm.COUNT)
    offsets[irises] += np.float32(share) * (aim[irises] - offsets[irises])
    return Performance(performance.head, offsets)


def look_at_camera(head: HeadMotion) -> arkit.Coefficients:
    """(52,) eyes that turn back by what the head is turned away from the camera."""
    yaw, pitch = (float(a + b) for a, b in zip(head.angles_deg[:2], head.rest_deg[:2], strict=True))
    across, down = np.clip([yaw / LOOK_DEG, -pitch / LOOK_DEG], -1, 1)  # positive: to the performer's right, down
    amounts = {
        "eyeLookOutRight": across, "eyeLookInLeft": across, "eyeLookInRight": -across, "eyeLookOutLeft": -across,
        "eyeLookDownLeft": down, "eyeLookDownRight": down, "eyeLookUpLeft": -down, "eyeLookUpRight": -down,
    }  # fmt: skip
    return arkit.coefficients({name: max(0.0, float(value)) for name, value in amounts.items()})

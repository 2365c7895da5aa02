"""Expressions on call: each a set of ARKit amounts that eases in when it is called for and out when it is not.

The presets follow the facial actions of the basic emotions in Friesen & Ekman, EMFACS-7 (1983), said in ARKit's names; the
amounts are chosen, not measured.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from engine.curves import smoothstep
from engine.face import arkit

ATTACK_S, RELEASE_S = 0.2, 0.35

Amounts = Mapping[str, float]  # by ARKit name, in [0, 1]


def _wink(side: str) -> dict[str, float]:
    """One eye shut, by lid and cheek together; `side` is the performer's own, Left or Right."""
    shut = {"eyeBlink": 1.0, "eyeSquint": 0.4, "cheekSquint": 0.6, "browDown": 0.2, "mouthSmile": 0.35}
    return {name + side: amount for name, amount in shut.items()}


PRESETS: Final[Mapping[str, Amounts]] = MappingProxyType({
    # corners up and back, cheeks raised: a smile that reaches the eyes (AU 6 + 12)
    "smile": arkit.both(mouthSmile=0.8, cheekSquint=0.5, eyeSquint=0.25, mouthDimple=0.2),
    # brows up, eyes wide, jaw dropped (AU 1 + 2 + 5 + 26)
    "surprise": arkit.both(browOuterUp=0.7, eyeWide=0.7) | {"browInnerUp": 0.8, "jawOpen": 0.4, "mouthFunnel": 0.15},
    # one eye shut, that side of the face drawn up with it (AU 46)
    "wink_left": _wink("Left"),
    "wink_right": _wink("Right"),
    # inner brows up and drawn together, corners down, chin pushed up (AU 1 + 4 + 15 + 17)
    "sad": arkit.both(mouthFrown=0.7, browDown=0.15, eyeSquint=0.2) | {"browInnerUp": 0.8, "mouthShrugLower": 0.4},
    # brows down, lids tight, nose wrinkled a little, lips pressed (AU 4 + 7 + 9 + 23 + 24)
    "angry": arkit.both(browDown=0.9, eyeSquint=0.4, noseSneer=0.4, mouthPress=0.5, mouthFrown=0.3),
    # lips pushed out to a kiss (AU 18 + 22)
    "pucker": {"mouthPucker": 0.9, "mouthFunnel": 0.2},
    # cheeks full of air behind shut lips (AU 34)
    "puff": arkit.both(mouthPress=0.3) | {"cheekPuff": 0.9, "mouthPucker": 0.25},
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trigger:
    """An expression, and how fast it comes and goes."""

    name: str
    amounts: Amounts
    attack_s: float = ATTACK_S  # from nothing to all of it; 0: at once
    release_s: float = RELEASE_S  # and back


class Triggers:
    """Who calls for which expression, and how much of it shows.

    `press`, `release` and `toggle` may be called from any thread, `at` from one. An expression is called for while it is
    pressed or toggled on, whichever way it came.
    """

    def __init__(self, triggers: Iterable[Trigger]) -> None:
        """KeyError names an amount that ARKit does not know."""
        self._triggers = {trigger.name: trigger for trigger in triggers}
        self._full = {name: arkit.coefficients(dict(t.amounts)) for name, t in self._triggers.items()}
        self._levels = dict.fromkeys(self._triggers, 0.0)  # part of the way in, before easing; of the thread that asks
        self._lock = threading.Lock()
        self._pressed: set[str] = set()
        self._toggled: set[str] = set()
        self._asked_s: float | None = None

    def press(self, name: str) -> None:
        """Call for an expression until it is released. KeyError: there is none of this name."""
        with self._lock:
            self._pressed.add(self._triggers[name].name)

    def release(self, name: str) -> None:
        """End a press; one that is toggled on stays. KeyError: there is none of this name."""
        with self._lock:
            self._pressed.discard(self._triggers[name].name)

    def toggle(self, name: str) -> None:
        """Call for an expression until the next toggle, or end that. KeyError: there is none of this name."""
        with self._lock:
            self._toggled ^= {self._triggers[name].name}

    @property
    def active(self) -> tuple[str, ...]:
        """The expressions that are called for now."""
        with self._lock:
            wanted = self._pressed | self._toggled
        return tuple(name for name in self._triggers if name in wanted)

    def at(self, now_s: float) -> arkit.Coefficients:
        """(52,) in [0, 1]: the sum of what shows at `now_s`. A time before the last one counts as that one."""
        step_s = 0.0 if self._asked_s is None else max(0.0, now_s - self._asked_s)
        self._asked_s = now_s if self._asked_s is None else max(self._asked_s, now_s)
        wanted, total = self.active, np.zeros(arkit.COUNT, np.float32)
        for name, trigger in self._triggers.items():
            level = self._levels[name] = _moved(self._levels[name], name in wanted, step_s, trigger)
            total += np.float32(smoothstep(level)) * self._full[name]
        return np.clip(total, 0, 1)


def _moved(level: float, wanted: bool, step_s: float, trigger: Trigger) -> float:
    """The level `step_s` later, in [0, 1]; it moves evenly, and turns back from where it is."""
    duration_s = trigger.attack_s if wanted else trigger.release_s
    part = step_s / duration_s if duration_s > 0 else 1.0
    return min(1.0, level + part) if wanted else max(0.0, level - part)

"""Which key and which gesture calls for which expression. Values only, as in `engine.config`; all of it is off by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from engine.drive.triggers import ATTACK_S, PRESETS, RELEASE_S, Amounts, Trigger, Triggers
from engine.face import arkit
from engine.face.gesture import Gesture

TAKEN_KEYS: Final = {
    "n": "takes a new neutral", "q": "ends the run", "m": "changes the mode", "p": "changes the puppet", "b": "changes the blend",
}  # fmt: skip


def _near(name: str, known: Mapping[str, object], count: int = 3) -> str:
    """The names most like `name`, for a message."""
    return ", ".join(get_close_matches(name, list(known), count, cutoff=0.0))


def _check_expression(value: Any) -> Any:
    """A preset's name, or amounts in [0, 1] by ARKit name; ValueError says what is near."""
    if isinstance(value, str):
        if value not in PRESETS:
            raise ValueError(f"no expression is called '{value}'; there are {', '.join(PRESETS)}")
        return value
    if not isinstance(value, Mapping) or not value:
        raise ValueError(f"an expression is one of {', '.join(PRESETS)}, or amounts as in {{ jawOpen = 0.5 }}")
    for name, amount in value.items():
        if name not in arkit.INDEX:
            raise ValueError(f"ARKit knows no '{name}'; near it are {_near(str(name), arkit.INDEX)}")
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= 1:
            raise ValueError(f"the amount of {name} must be from 0 to 1, not {amount!r}")
    return dict(value)


def _check_key(key: str) -> str:
    if len(key) != 1 or not "!" <= key <= "~":
        raise ValueError(f"a key is one character from ! to ~, not {key!r}")
    if key in TAKEN_KEYS:
        raise ValueError(f"the key {key} {TAKEN_KEYS[key]}; use another")
    return key


def _check_gesture(gesture: Gesture) -> Gesture:
    if gesture is Gesture.NONE:
        raise ValueError("no gesture is not one to bind")
    return gesture


def _spell_out(value: Any) -> Any:
    """`"smile"` stands for `{ expression = "smile" }`."""
    return {"expression": value} if isinstance(value, str) else value


class Binding(BaseModel):
    """The expression that something calls for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expression: Annotated[str | dict[str, float], BeforeValidator(_check_expression)] = Field(
        description="a preset's name, or amounts by ARKit name"
    )
    attack_s: float = Field(default=ATTACK_S, ge=0, le=10, description="until all of it shows")
    release_s: float = Field(default=RELEASE_S, ge=0, le=10, description="until nothing of it shows any more")

    def trigger(self) -> Trigger:
        """What is called for; equal bindings have equal ones."""
        amounts: Amounts = PRESETS[self.expression] if isinstance(self.expression, str) else self.expression
        name = self.expression if isinstance(self.expression, str) else _describe(amounts)
        if (self.attack_s, self.release_s) != (ATTACK_S, RELEASE_S):
            name = f"{name} in {self.attack_s:g} out {self.release_s:g} s"
        return Trigger(name, amounts, self.attack_s, self.release_s)


class GestureBinding(Binding):
    """The expression that a gesture calls for, and how."""

    way: Literal["hold", "toggle"] = Field(
        default="hold", description="hold: while the gesture is shown; toggle: from one gesture to the next"
    )


def _describe(amounts: Amounts) -> str:
    return " ".join(f"{name}={amount:g}" for name, amount in sorted(amounts.items()))


Key = Annotated[str, AfterValidator(_check_key)]
Shown = Annotated[Gesture, AfterValidator(_check_gesture)]


def _default_keys() -> dict[str, Binding]:
    return {str(number): Binding(expression=name) for number, name in enumerate(PRESETS, 1)}


def _default_gestures() -> dict[Gesture, GestureBinding]:
    wanted = {"thumbs_up": "smile", "victory": "wink_left", "open_palm": "surprise", "fist": "angry"}
    return {Gesture(shown): GestureBinding(expression=name) for shown, name in wanted.items()}


class KeyBindings(BaseModel):
    """Keys of the window. A key toggles: a window hears of a key that goes down, not of one that comes up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=False, description="let keys call for expressions")
    bound: dict[Key, Annotated[Binding, BeforeValidator(_spell_out)]] = Field(
        default_factory=_default_keys, description="all that are bound, in place of the default ones"
    )


class HandBindings(BaseModel):
    """Gestures of the performer's hands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=False, description="look for hands, and let gestures call for expressions")
    most_hands: Literal[1, 2] = Field(default=1, description="how many hands to look for")
    bound: dict[Shown, Annotated[GestureBinding, BeforeValidator(_spell_out)]] = Field(
        default_factory=_default_gestures, description="all that are bound, in place of the default ones"
    )


class Bindings(BaseModel):
    """What calls for which expression."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: KeyBindings = KeyBindings()
    hands: HandBindings = HandBindings()

    def triggers(self) -> Triggers:
        """All expressions that an enabled binding can call for, each once."""
        bound: list[Binding] = [*self.keys.bound.values()] if self.keys.enabled else []
        bound += self.hands.bound.values() if self.hands.enabled else []
        return Triggers(binding.trigger() for binding in bound)

    def key_actions(self, triggers: Triggers) -> dict[str, Callable[[], None]]:
        """What each bound key does, for the window; nothing where keys are not enabled."""
        bound = self.keys.bound if self.keys.enabled else {}
        return {key: partial(triggers.toggle, binding.trigger().name) for key, binding in bound.items()}


class GestureActions:
    """Calls for expressions as gestures begin and end. Keeps state: use it from one thread."""

    def __init__(self, hands: HandBindings, triggers: Triggers) -> None:
        """`triggers` must hold those of `hands`."""
        self._bound = {shown: (b.way, b.trigger().name) for shown, b in hands.bound.items()}
        self._triggers, self._shown = triggers, Gesture.NONE

    def __call__(self, shown: Gesture) -> None:
        """`shown` is the gesture that counts now, NONE included."""
        if shown is self._shown:
            return
        before, self._shown = self._shown, shown
        way, name = self._bound.get(before, (None, ""))
        if way == "hold":
            self._triggers.release(name)
        way, name = self._bound.get(shown, (None, ""))
        if way is not None:
            (self._triggers.press if way == "hold" else self._triggers.toggle)(name)

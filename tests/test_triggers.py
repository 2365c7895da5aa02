"""Expressions on keys and gestures: how they come and go, and what may be bound."""

from __future__ import annotations

from itertools import pairwise
from threading import Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.drive.bindings import Bindings, GestureActions, HandBindings, KeyBindings
from engine.drive.triggers import ATTACK_S, PRESETS, RELEASE_S, Trigger, Triggers
from engine.face import arkit
from engine.face.gesture import Gesture

STEEPEST = 1.5  # the largest slope of smoothstep
ALL = [Trigger(name, amounts) for name, amounts in PRESETS.items()]
STEPS_S = st.lists(st.floats(0, 0.5), min_size=1, max_size=40)
DURATION_S = st.floats(0.01, 3)


def both_ways() -> Triggers:
    """Two expressions that share one amount, which they exceed together."""
    return Triggers(
        [Trigger("a", {"jawOpen": 0.8, "cheekPuff": 0.3}, 0.2, 0.4), Trigger("b", {"jawOpen": 0.7}, 0.1, 0.1)]
    )


def jaw(triggers: Triggers, now_s: float) -> float:
    return float(triggers.at(now_s)[arkit.INDEX["jawOpen"]])


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_are_in_range_and_arkits_own(name: str) -> None:
    full = arkit.coefficients(dict(PRESETS[name]))
    assert 0.3 < full.max() <= 1
    assert full.min() >= 0
    mirrored = {"wink_left": "wink_right", "wink_right": "wink_left"}.get(name, name)
    assert np.array_equal(full[arkit.MIRROR], arkit.coefficients(dict(PRESETS[mirrored])))


def test_an_amount_that_arkit_does_not_know_is_refused() -> None:
    with pytest.raises(KeyError, match="jawDrop"):
        Triggers([Trigger("a", {"jawDrop": 1.0})])


@pytest.mark.parametrize("call", ["press", "release", "toggle"])
def test_an_unknown_expression_is_refused(call: str) -> None:
    with pytest.raises(KeyError, match="laugh"):
        getattr(Triggers(ALL), call)("laugh")


@given(DURATION_S, st.floats(0.1, 1), STEPS_S)
def test_attack_rises_to_all_of_it(attack_s: float, amount: float, steps_s: list[float]) -> None:
    triggers = Triggers([Trigger("a", {"jawOpen": amount}, attack_s)])
    triggers.at(0.0)
    triggers.press("a")
    times_s = np.cumsum(steps_s)
    shown = [jaw(triggers, float(t)) for t in times_s]
    assert all(b >= a for a, b in pairwise([0.0, *shown]))
    assert all(s == np.float32(amount) for s, t in zip(shown, times_s, strict=True) if t > attack_s * 1.001)
    assert all(s < amount for s, t in zip(shown, times_s, strict=True) if t < attack_s * 0.98)


@given(DURATION_S, st.sampled_from(sorted(PRESETS)), STEPS_S)
def test_release_falls_to_exactly_nothing(release_s: float, name: str, steps_s: list[float]) -> None:
    triggers = Triggers([Trigger(name, PRESETS[name], 0.0, release_s)])
    triggers.press(name)
    full = triggers.at(0.0)
    triggers.release(name)
    times_s = np.cumsum(steps_s)
    shown = [triggers.at(float(t)) for t in times_s]
    assert all((b <= a).all() for a, b in pairwise([full, *shown]))
    assert not any(s.any() for s, t in zip(shown, times_s, strict=True) if t > release_s * 1.001)


CALLS = st.lists(
    st.tuples(st.sampled_from(["press", "release", "toggle"]), st.sampled_from(sorted(PRESETS)), st.floats(-0.1, 0.3)),
    max_size=60,
)


@given(CALLS)
def test_whatever_is_called_stays_in_range_and_never_jumps(calls: list[tuple[str, str, float]]) -> None:
    triggers = Triggers(ALL)
    steepest_per_s = STEEPEST / min(ATTACK_S, RELEASE_S) * sum(arkit.coefficients(dict(t.amounts)) for t in ALL)
    now_s, last_s, before = 0.0, 0.0, triggers.at(0.0)
    for call, name, step_s in calls:
        getattr(triggers, call)(name)
        now_s += step_s
        shown = triggers.at(now_s)
        assert shown.shape == (arkit.COUNT,)
        assert shown.dtype == np.float32
        assert shown.min() >= 0
        assert shown.max() <= 1
        assert (np.abs(shown - before) <= steepest_per_s * max(0.0, now_s - last_s) + 1e-5).all()
        last_s, before = max(last_s, now_s), shown


def test_it_sets_in_and_settles_softly() -> None:
    triggers = Triggers([Trigger("a", {"jawOpen": 1.0}, 1.0, 1.0)])
    triggers.at(0.0)
    triggers.press("a")
    assert [jaw(triggers, t) for t in (0.05, 0.5, 0.95)] == pytest.approx([0.00725, 0.5, 0.99275], abs=1e-4)


def test_what_two_ask_for_adds_up_and_is_clipped() -> None:
    triggers = both_ways()
    triggers.at(0.0)
    triggers.press("a")
    assert jaw(triggers, 1.0) == pytest.approx(0.8)
    triggers.toggle("b")
    assert jaw(triggers, 2.0) == 1.0
    assert triggers.at(2.0)[arkit.INDEX["cheekPuff"]] == pytest.approx(0.3)
    triggers.release("a")
    assert jaw(triggers, 3.0) == pytest.approx(0.7)
    assert triggers.active == ("b",)


def test_an_attack_that_is_broken_off_turns_back_from_where_it_is() -> None:
    triggers = both_ways()
    triggers.at(0.0)
    triggers.press("a")
    half = jaw(triggers, 0.1)
    assert half == pytest.approx(0.4)
    triggers.release("a")
    assert jaw(triggers, 0.1) == half
    assert 0 < jaw(triggers, 0.2) < half
    assert jaw(triggers, 0.31) == 0.0  # half of its release


def test_a_toggled_expression_outlasts_a_press() -> None:
    triggers = both_ways()
    triggers.toggle("a")
    triggers.press("a")
    triggers.release("a")
    assert triggers.active == ("a",)
    triggers.toggle("a")
    assert triggers.active == ()


def test_calls_from_many_threads_are_all_counted() -> None:
    triggers = Triggers(ALL)

    def toggle_often() -> None:
        for _ in range(101):
            triggers.toggle("smile")

    threads = [Thread(target=toggle_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for index in range(50):
        triggers.at(index / 30)
    for thread in threads:
        thread.join()
    assert triggers.active == ()  # 404 toggles
    triggers.toggle("smile")
    assert triggers.active == ("smile",)


def test_nothing_is_bound_unless_enabled() -> None:
    bindings = Bindings()
    triggers = bindings.triggers()
    assert bindings.key_actions(triggers) == {}
    assert not triggers.at(0.0).any()
    with pytest.raises(KeyError):
        triggers.press("smile")


def test_the_default_keys_are_the_presets() -> None:
    bindings = Bindings(keys=KeyBindings(enabled=True))
    triggers = bindings.triggers()
    actions = bindings.key_actions(triggers)
    assert list(actions) == [*"12345678"]
    for action, name in zip(actions.values(), PRESETS, strict=True):
        action()
        assert triggers.active == (name,)
        action()


def test_gestures_hold_or_toggle() -> None:
    hands = HandBindings.model_validate(
        {"enabled": True, "bound": {"fist": "angry", "point": {"expression": "puff", "way": "toggle"}}}
    )
    triggers = Bindings(hands=hands).triggers()
    act = GestureActions(hands, triggers)
    seen = [Gesture.NONE, Gesture.FIST, Gesture.FIST, Gesture.POINT, Gesture.POINT, Gesture.NONE, Gesture.POINT]
    active = []
    for shown in seen:
        act(shown)
        active.append(triggers.active)
    assert active == [(), ("angry",), ("angry",), ("puff",), ("puff",), ("puff",), ()]


def test_an_unbound_gesture_ends_what_the_last_one_held() -> None:
    hands = HandBindings(enabled=True)
    triggers = Bindings(hands=hands).triggers()
    act = GestureActions(hands, triggers)
    act(Gesture.THUMBS_UP)
    assert triggers.active == ("smile",)
    act(Gesture.POINT)
    assert triggers.active == ()


def test_a_key_and_a_gesture_share_an_expression() -> None:
    bindings = Bindings(keys=KeyBindings(enabled=True), hands=HandBindings(enabled=True))
    triggers = bindings.triggers()
    act = GestureActions(bindings.hands, triggers)
    bindings.key_actions(triggers)["1"]()
    act(Gesture.THUMBS_UP)
    act(Gesture.NONE)
    assert triggers.active == ("smile",)


def test_own_amounts_and_times() -> None:
    bound = {"x": {"expression": {"jawOpen": 0.5, "tongueOut": 1}, "attack_s": 0, "release_s": 1.0}, "y": "smile"}
    bindings = Bindings.model_validate({"keys": {"enabled": True, "bound": bound}})
    triggers = bindings.triggers()
    bindings.key_actions(triggers)["x"]()
    assert triggers.active == ("jawOpen=0.5 tongueOut=1 in 0 out 1 s",)
    assert triggers.at(0.0)[[arkit.INDEX["jawOpen"], arkit.INDEX["tongueOut"]]].tolist() == [0.5, 1.0]


def test_bindings_survive_being_written_down() -> None:
    bindings = Bindings(keys=KeyBindings(enabled=True))
    assert Bindings.model_validate(bindings.model_dump(mode="json")) == bindings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"keys": {"bound": {"x": {"expression": {"mouthSmile": 1}}}}}, "near it are mouthSmileLeft, mouthSmileRight"),
        ({"keys": {"bound": {"x": {"expression": {"jawopen": 1}}}}}, "near it are jawOpen"),
        ({"keys": {"bound": {"x": {"expression": {"jawOpen": 1.5}}}}}, "from 0 to 1, not 1.5"),
        ({"keys": {"bound": {"x": {"expression": {}}}}}, "or amounts as in"),
        ({"keys": {"bound": {"x": "laugh"}}}, "no expression is called 'laugh'; there are smile"),
        ({"keys": {"bound": {"q": "smile"}}}, "the key q ends the run"),
        ({"keys": {"bound": {"n": "smile"}}}, "the key n takes a new neutral"),
        ({"keys": {"bound": {"F1": "smile"}}}, "one character"),
        ({"keys": {"bound": {"ÿ": "smile"}}}, "one character"),  # what a window hears when no key is down
        ({"keys": {"bound": {"x": {"expression": "smile", "way": "hold"}}}}, "Extra inputs"),
        ({"keys": {"bound": {"x": {"expression": "smile", "attack_s": -1}}}}, "greater than or equal to 0"),
        ({"hands": {"bound": {"none": "smile"}}}, "no gesture"),
        ({"hands": {"bound": {"wave": "smile"}}}, "thumbs_up"),
        ({"hands": {"enabled": True, "most_hands": 3}}, "1 or 2"),
        ({"mouse": {}}, "Extra inputs"),
    ],
)
def test_what_cannot_be_bound_is_said(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Bindings.model_validate(settings)

"""Which qualities a machine has, and with which it begins."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.render import ladder
from engine.render.ladder import WORTH, Step, first_that_fits, measured_ladder
from engine.render.quality import LADDER


def steps_of(costs_ms: list[float], monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """The ladder of a machine on which the qualities cost so much."""
    by_name = {quality.name: cost for quality, cost in zip(LADDER, costs_ms, strict=False)}
    monkeypatch.setattr(ladder, "_draw_ms", lambda draw, quality: by_name[quality.name])
    return measured_ladder(lambda quality: None, LADDER[: len(costs_ms)])


@given(st.lists(st.floats(1, 100), min_size=1, max_size=len(LADDER)))
def test_each_step_saves_and_the_best_is_always_there(costs_ms: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        steps = steps_of(costs_ms, patch)
    assert steps[0].quality == LADDER[0]
    assert all(b.draw_ms <= WORTH * a.draw_ms for a, b in pairwise(steps))


def test_a_machine_without_bf16_leaves_out_small_pictures_with_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = steps_of([37, 35, 40, 41, 17, 14.6], monkeypatch)
    assert [step.quality.name for step in steps] == ["full", "plain edges", "no networks", "half, no networks"]
    assert steps[first_that_fits(steps, 30, in_turn=False)].quality.name == "no networks"
    assert first_that_fits(steps, 10, in_turn=False) == 0
    assert first_that_fits(steps, 120, in_turn=False) == len(steps) - 1


def test_where_tracking_waits_for_its_turn_there_is_less_time(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = steps_of([26, 18], monkeypatch)
    assert first_that_fits(steps, 30, in_turn=False) == 0
    assert first_that_fits(steps, 30, in_turn=True) == 1


def test_drawing_is_timed_after_a_first_draw() -> None:
    drawn: list[str] = []
    steps = measured_ladder(lambda quality: drawn.append(quality.name), LADDER[:1])
    assert len(drawn) == 1 + ladder.DRAWS
    assert steps[0].draw_ms >= 0

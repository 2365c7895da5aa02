"""The governor against plants: what it is told is the age that its own level causes."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.live.governor import IN_FLIGHT, LONGEST_PATIENCE_S, PATIENCE_S, TOO_DEAR, WINDOW, Governor
from engine.live.meter import Series

RATE_HZ = 30.0
TARGET_MS = 50.0
Plant = Callable[[int, float], float]  # level, time -> age, ms


def drive(governor: Governor, plant: Plant, seconds: float, begin_s: float = 0.0, ages: Series | None = None) -> Series:
    """Pictures at 30 Hz, a look after every third, as in a run. All that makes them old is that they are drawn."""
    ages = ages or Series()
    for picture in range(int(seconds * RATE_HZ)):
        now_s = begin_s + picture / RATE_HZ
        ages.add(plant(governor.level, now_s))
        if picture % 3 == 0:
            governor.look(ages, ages, now_s)
    return ages


def costs(*ages_ms: float) -> Plant:
    return lambda level, now_s: ages_ms[level]


def governor_of(*costs_ms: float, level: int = 0) -> Governor:
    """One that was told what drawing takes at each level."""
    return Governor(costs_ms, TARGET_MS, level)


def test_it_stays_at_the_best_level_while_that_holds_the_target() -> None:
    governor = governor_of(45, 40, 30, 20)
    drive(governor, costs(45, 40, 30, 20), 300)
    assert not governor.steps


def test_it_goes_down_just_far_enough_and_soon() -> None:
    governor = governor_of(90, 70, 48, 30)
    drive(governor, costs(90, 70, 48, 30), 5)
    assert governor.level == 2
    assert [step.after for step in governor.steps] == [1, 2]


def test_it_comes_back_when_the_load_goes() -> None:
    governor = governor_of(90, 70, 48, 30)
    ages = drive(governor, costs(90, 70, 48, 30), 20)
    drive(governor, costs(20, 18, 15, 12), 30, 20.0, ages)
    assert governor.level == 0


@given(st.floats(0.3, 0.89), st.floats(1.01, 3.0), st.integers(2, 6))
@settings(max_examples=10, deadline=None)
def test_a_load_at_the_edge_does_not_make_it_flap(below: float, above: float, levels: int) -> None:
    """The best level is too dear, but it was told that all take the same: tries get rarer and rarer."""
    governor = governor_of(*[10.0] * levels)
    drive(governor, costs(above * TARGET_MS, *([below * TARGET_MS] * (levels - 1))), 600)
    assert len(governor.steps) <= 15  # down, then tries after 4, 8, ... 240 s: seven of them, two steps each
    waits = [b.at_s - a.at_s for a, b in zip(governor.steps[::2], governor.steps[1::2], strict=False)]
    assert waits == sorted(waits)


@given(st.floats(15, 44), st.floats(51, 200))
@settings(max_examples=10, deadline=None)
def test_what_it_knows_to_be_too_dear_is_hardly_ever_tried(quick_ms: float, slow_ms: float) -> None:
    governor = governor_of(slow_ms, quick_ms)
    drive(governor, costs(slow_ms, quick_ms), 0.98 * LONGEST_PATIENCE_S)
    assert governor.level == 1
    assert len(governor.steps) == 1


def test_a_machine_that_was_slow_when_the_levels_were_measured_is_not_held_to_it() -> None:
    """All of them took four times as long then."""
    governor = governor_of(88, 72, 56, level=2)
    drive(governor, costs(22, 18, 14), 2 * TOO_DEAR * PATIENCE_S + 10)
    assert governor.level == 0


def test_a_level_that_is_left_soon_after_going_further_was_a_mistake_too() -> None:
    """It rises by two levels in a calm spell and falls by two in a busy one: the lower of them is waited for longer as well."""
    governor, calm, busy = governor_of(20, 18, 15), costs(20, 18, 15), costs(90, 70, 30)
    ages = drive(governor, busy, 5)
    drive(governor, calm, 15, 5.0, ages)
    assert governor.level == 0
    drive(governor, busy, 5, 20.0, ages)
    assert governor.level == 2
    fell_s = governor.steps[-1].at_s
    drive(governor, calm, 20, 25.0, ages)
    risen_s = next(step.at_s for step in governor.steps if step.at_s > fell_s)
    assert risen_s - fell_s >= 2 * PATIENCE_S


def test_where_worse_pictures_do_not_help_it_goes_back_to_the_best() -> None:
    governor = governor_of(110, 109, 108, 107)
    drive(governor, costs(110, 109, 108, 107), 600)
    until = [*(step.at_s for step in governor.steps[1:]), 600.0]
    at_best = sum(end - step.at_s for step, end in zip(governor.steps, until, strict=True) if step.after == 0)
    assert at_best > 560
    assert [step.after for step in governor.steps[:4]] == [1, 2, 3, 0]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.floats(1, 200), min_size=4, max_size=4), min_size=1, max_size=6), st.integers(1, 4))
def test_whatever_happens_a_level_is_kept_for_a_window(loads: list[list[float]], levels: int) -> None:
    governor, ages = governor_of(*[10.0] * levels), Series()
    for number, load in enumerate(loads):
        drive(governor, costs(*load), 20, 20.0 * number, ages)
    assert 0 <= governor.level < levels
    gaps = [b.at_s - a.at_s for a, b in zip(governor.steps, governor.steps[1:], strict=False)]
    assert all(gap >= (WINDOW + IN_FLIGHT - 3) / RATE_HZ - 1e-6 for gap in gaps)
    assert all(step.before != step.after for step in governor.steps)


def test_a_load_that_grew_is_not_taken_for_a_futile_one() -> None:
    """Mild load settles at a middle level, then a heavy one makes even the worst too old: it helps all the same."""
    governor = governor_of(60, 55, 45, 40)
    ages = drive(governor, costs(60, 55, 45, 40), 30)
    begin = len(governor.steps)
    drive(governor, costs(180, 160, 120, 80), 300, 30.0, ages)
    until = [*(step.at_s for step in governor.steps[begin + 1 :]), 330.0]
    at_worst = sum(end - step.at_s for step, end in zip(governor.steps[begin:], until, strict=True) if step.after == 3)
    assert governor.level == 3
    assert at_worst > 280


def test_one_level_is_no_choice() -> None:
    governor = Governor([500.0], 0.0)
    drive(governor, costs(500), 60)
    assert not governor.steps


def test_a_start_that_was_measured_is_not_doubted_in_the_first_seconds() -> None:
    """Neither a calm nor a rough start lets it try what was found too dear at once; later it does."""
    for ages in (costs(110, 90, 30), costs(110, 90, 55)):
        governor = governor_of(110, 90, 30, level=2)
        drive(governor, ages, 25)
        assert governor.level == 2
        assert not governor.steps
        drive(governor, costs(20, 18, 15), LONGEST_PATIENCE_S + 60, 25.0)
        assert governor.level == 0

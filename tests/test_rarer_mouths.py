"""Mouths made rarer for training: darker skin around the same teeth, and no light in a round mouth."""

from __future__ import annotations

import numpy as np
import pytest
from faces import SKIN, Picture, open_face, painted
from hypothesis import given
from hypothesis import strategies as st

from engine.face import landmarks as lm
from tools.dropped_jaw import CHEEKS
from tools.rarer_mouths import AS_IT_IS, DARKEST, SHADE, Rarity, roundness

TEETH = (200, 210, 220)


def shaped(width: float, gap: float = 0.25) -> lm.Points:
    """Landmarks of lips so far apart (inter-ocular distances), and as wide as that, of those of a mean face."""
    points = open_face(gap)
    lips = np.concatenate([lm.LIPS_OUTER, lm.LIPS_INNER])
    points[lips, 0] += (1 - width) * (points[lips, 0].mean() - points[lips, 0])
    return points


OH, WIDE = shaped(0.7), shaped(1.4)


def at(picture: Picture, points: lm.Points, *numbers: int) -> np.ndarray:
    """(3,): the mean colour of a picture at the middle of some landmarks."""
    column, row = points[list(numbers), :2].mean(0).round().astype(int)
    return picture[row, column].astype(float)


def drawn(seed: int, *, darker: bool, shaded: bool) -> Rarity:
    return Rarity.drawn(np.random.default_rng(seed), painted(WIDE, TEETH), WIDE, darker=darker, shaded=shaded)


@given(st.integers(0, 1000))
def test_darker_skin_keeps_its_teeth(seed: int) -> None:
    darker = drawn(seed, darker=True, shaded=False).of(painted(WIDE, TEETH), WIDE)
    skin, teeth = at(darker, WIDE, CHEEKS[0]), at(darker, WIDE, 13, 14)
    assert DARKEST - 1 <= skin[1] <= SKIN[1]
    assert skin[0] / SKIN[0] - 0.01 <= skin[1] / SKIN[1] <= skin[2] / SKIN[2] + 0.01  # blue is lost first
    assert (teeth / TEETH >= skin.max() / max(SKIN) - 0.01).all()
    assert np.ptp(teeth / TEETH) < 0.01  # of no other colour


def test_light_skin_gets_dark_now_and_then() -> None:
    greens = [at(drawn(n, darker=True, shaded=False).of(painted(WIDE, TEETH), WIDE), WIDE, 50)[1] for n in range(40)]
    assert min(greens) < 1.2 * DARKEST
    assert max(greens) > 0.9 * SKIN[1]


@given(st.integers(0, 1000))
def test_a_round_mouth_loses_its_light_and_a_wide_one_does_not(seed: int) -> None:
    rarity = drawn(seed, darker=False, shaded=True)
    assert roundness(OH) == 1
    assert roundness(WIDE) == 0
    assert np.array_equal(rarity.of(painted(WIDE, TEETH), WIDE), painted(WIDE, TEETH))
    shaded = rarity.of(painted(OH, TEETH), OH)
    left = at(shaded, OH, 13, 14) / TEETH
    assert 0 < left[0] < left[1] < left[2] < 0.75  # what there is is reddish
    assert left[1] <= SHADE[1] + 0.01
    assert np.array_equal(at(shaded, OH, CHEEKS[0]), SKIN)


@pytest.mark.parametrize("gap", [0.0, 0.05, 0.6])
def test_neither_closed_lips_nor_a_shout_are_round(gap: float) -> None:
    assert roundness(shaped(0.7, gap)) == 0


@given(st.floats(0.6, 1.4), st.floats(0.0, 0.6))
def test_lips_that_move_a_little_change_little(width: float, gap: float) -> None:
    """From one picture of a unit to the next no truth may jump."""
    assert abs(roundness(shaped(width, gap)) - roundness(shaped(width + 0.005, gap + 0.002))) < 0.15


def test_nothing_changes_as_it_is() -> None:
    picture = np.random.default_rng(0).integers(0, 256, painted(WIDE, TEETH).shape).astype(np.uint8)
    assert np.array_equal(AS_IT_IS.of(picture, WIDE), picture)

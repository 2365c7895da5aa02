"""Several photographs of one puppet: which is shown, and how one follows on another."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from conftest import performance
from faces import apart
from hypothesis import given
from hypothesis import strategies as st

from engine.puppet.format import Puppet, Reference
from engine.render.face_layer import face_mask
from engine.render.patch import Region
from engine.render.portrait_view import PortraitView
from engine.render.quality import LADDER
from engine.render.references import BETTER, FADE_S, LEAP, Chooser, Look
from engine.render.view import Shown


def look(value: float) -> Look:
    return Look(np.array([value], np.float32))


@given(st.lists(st.floats(-0.12, 0.12), min_size=1, max_size=60))
def test_two_photographs_that_are_as_good_do_not_flicker(noise: list[float]) -> None:
    """Around the middle between two, no noise smaller than half the margin makes a change."""
    assert BETTER >= 0.24
    choose = Chooser([look(0.0), look(1.0)])
    for step, n in enumerate(noise):
        assert choose(look(0.5 + n), step / 30) == [(0, 1.0)]


def test_a_better_photograph_fades_in_and_a_far_better_one_is_there_at_once() -> None:
    choose = Chooser([look(0.0), look(1.5), look(10.0)])
    assert choose(look(0.1), 0.0) == [(0, 1.0)]
    shares = [choose(look(1.4), 1.0 + step / 30) for step in range(12)]
    assert shares[0] == [(0, 1.0), (1, 0.0)]
    assert shares[-1] == [(1, 1.0)]
    rising = [part[-1][1] for part in shares if len(part) == 2]
    assert rising == sorted(rising)
    assert max(np.diff(rising)) < 0.35  # nothing pops
    assert len(rising) + 1 >= 30 * FADE_S
    assert LEAP < 8
    assert choose(look(9.9), 2.0) == [(2, 1.0)]


def test_other_photographs_lend_their_face(ada: Puppet) -> None:
    """A puppet with a second photograph, turned: near its own pose the second one's face is shown, in the first one's colours."""
    first = ada.references[0]
    turned, target = PortraitView(ada, 480, 480).portrait.draw(performance({}, (24, 0, 0)))
    other = Reference(np.clip(turned.astype(int) - 30, 0, 255).astype(np.uint8), target.landmarks_px)
    both = PortraitView(replace(ada, references=(first, other)), 480, 480)
    alone = PortraitView(ada, 480, 480)
    still, moved = performance({}), performance({}, (24, 0, 0))
    assert np.array_equal(both.draw(Shown(still, 0.0), LADDER[0]), alone.draw(Shown(still, 0.0), LADDER[0]))
    pictures = [both.draw(Shown(moved, 1 + step / 20), LADDER[0]) for step in range(12)]
    plain = alone.draw(Shown(moved, 1.0), LADDER[0])
    assert np.array_equal(pictures[-1], pictures[-2])
    assert apart(pictures[-1], plain).max() > 0
    face = face_mask(target.landmarks_px, Region(0, 0, 480, 480), 0.1) != 0
    assert apart(pictures[-1], plain)[face].mean() < 8  # 30 levels darker, in the brighter one's colours
    x, y = target.landmarks_px[50, :2].round().astype(int)
    spotted = other.picture.copy()
    spotted[y - 5 : y + 6, x - 5 : x + 6] = (0, 255, 0)
    marked = PortraitView(replace(ada, references=(first, Reference(spotted, other.landmarks_px))), 480, 480)
    for step in range(12):
        shown = marked.draw(Shown(moved, 1 + step / 20), LADDER[0])
    assert shown[y, x, 1] > shown[y, x, 2] + 60  # it is the second photograph that is seen
    assert max(apart(a, b).max() for a, b in pairwise(pictures)) < 90

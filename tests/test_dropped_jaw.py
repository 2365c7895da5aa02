"""Mouths opened further for training: what moves, what stays, and which mouths are fit for it."""

from __future__ import annotations

import numpy as np
import pytest
from faces import open_face, painted
from hypothesis import given
from hypothesis import strategies as st

from engine.face import landmarks as lm
from tools.dropped_jaw import drop_jaw, shows_cavity

DARK, TONGUE, TEETH = (20, 15, 35), (80, 70, 150), (200, 210, 220)


@given(st.floats(0.0, 0.4))
def test_the_jaw_goes_down_and_the_rest_stays(drop: float) -> None:
    points = open_face()
    unit = lm.inter_ocular(points)
    _, moved = drop_jaw(painted(points, DARK), points, drop)
    by = moved[:, 1] - points[:, 1]
    above = points[:, 1] < points[lm.LIP_PAIRS[:, 0], 1].min()
    assert np.abs(by[above]).max() < 1e-3
    assert by[152] == pytest.approx(drop * unit, abs=1e-2)
    assert lm.lip_gap(moved) - lm.lip_gap(points) == pytest.approx(drop * unit, rel=0.15, abs=0.1)
    assert (by > -1e-3).all()
    assert np.array_equal(moved[:, [0, 2]], points[:, [0, 2]])


def test_the_picture_goes_with_the_landmarks() -> None:
    points = open_face()
    wider, moved = drop_jaw(painted(points, DARK), points, 0.3)
    wanted = painted(moved, DARK)
    differs = np.abs(wider.astype(int) - wanted).max(2) > 60
    assert differs.sum() < 0.1 * (wanted.max(2) < 100).sum()  # but for the rim


def test_nothing_moves_without_a_drop() -> None:
    points = open_face()
    picture = painted(points, TONGUE)
    same, unmoved = drop_jaw(picture, points, 0.0)
    assert np.array_equal(same, picture)
    assert np.allclose(unmoved, points, atol=1e-3)


@pytest.mark.parametrize(
    ("gap", "inside", "fit"), [(0.2, DARK, True), (0.2, TONGUE, True), (0.2, TEETH, False), (0.03, DARK, False)]
)
def test_mouths_that_show_teeth_in_the_middle_are_not_fit(gap: float, inside: tuple[int, int, int], fit: bool) -> None:
    points = open_face(gap)
    assert shows_cavity(painted(points, inside), points) is fit

"""The benchmarks judge rightly; how fast this machine is, is none of the tests' business."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.budget import BUDGET_MS
from benchmarks.judge import features
from benchmarks.stages import judge, measure


def within() -> dict[str, dict[str, float]]:
    return {name: {"p50_ms": budget.p50, "p99_ms": budget.p99} for name, budget in BUDGET_MS.items()}


def test_within_the_budget_is_good() -> None:
    assert judge(within()) == []


def test_a_stage_without_a_budget_fails() -> None:
    assert judge(within() | {"juggle": {"p50_ms": 0.1, "p99_ms": 0.1}}) == [
        "'juggle' has no budget in benchmarks/budget.py"
    ]


@pytest.mark.parametrize("key", ["p50_ms", "p99_ms"])
def test_a_stage_over_its_budget_fails(key: str) -> None:
    found = within()
    found["render"][key] *= 1.01
    assert len(judge(found)) == 1
    assert "'render' took" in judge(found)[0]


def test_a_budget_that_nothing_is_measured_for_fails() -> None:
    found = within()
    del found["track"]
    assert judge(found) == ["'track' has a budget but was not measured"]


def test_every_stage_that_is_measured_has_a_budget() -> None:
    assert set(measure(frames=3)) == set(BUDGET_MS)


def test_features_of_judged_points() -> None:
    points = np.zeros((66, 2), np.float32)
    points[36], points[39], points[42], points[45] = (0, 0), (30, 0), (70, 0), (100, 0)
    for outer in (36, 42):
        points[outer + 1], points[outer + 5] = (5, -5), (5, 5)
        points[outer + 2], points[outer + 4] = (9, -5), (9, 5)
    points[58], points[62] = (20, 60), (80, 60)
    points[59:62], points[63:66] = (50, 55), (50, 65)
    found = features(points)
    assert found["mouth opening"] == pytest.approx(0.1)
    assert found["smile width"] == pytest.approx(0.6)
    assert found["lids"] == pytest.approx(1 / 3)

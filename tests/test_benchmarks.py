"""The benchmarks judge rightly; how fast this machine is, is none of the tests' business."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.budget import BUDGET_MS
from benchmarks.judge import as_judged, features
from benchmarks.mark.suite import added
from benchmarks.quality import Clip, compare, flicker
from benchmarks.stages import judge, measure
from engine.face import landmarks as lm
from engine.live.frame import Frame
from engine.puppet.format import Puppet
from engine.track.facemesh import find_faces
from engine.track.tracker import Tracked


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


def test_the_trackers_points_are_measured_as_the_judges(ada: Puppet) -> None:
    points = ada.references[0].landmarks_px[:, :2]
    found, unit = features(as_judged(points)), lm.inter_ocular(points)
    assert found["smile width"] == pytest.approx(lm.distance(points, *lm.MOUTH_CORNERS) / unit)
    assert found["mouth opening"] == pytest.approx(lm.lip_gap(points) / unit, abs=0.02)
    assert found["lids"] == pytest.approx(np.mean(lm.lid_openings(points)), rel=0.15)


def test_a_clip_that_is_its_own_output_is_perfect(demo_frames: list[np.ndarray]) -> None:
    """Every figure of `bench quality` at its best, and worse where a picture is blurred."""
    points = find_faces(demo_frames[0])[0]
    same = compare(demo_frames[0], demo_frames[0], points)
    assert all(value == 0 for name, value in same.items() if name.startswith("L1"))
    assert all(value == pytest.approx(1) for name, value in same.items() if name.startswith("SSIM"))
    blurred = compare(cv2.GaussianBlur(demo_frames[0], (0, 0), 3), demo_frames[0], points)
    assert all(blurred[name] > 0 for name in same if name.startswith("L1"))
    assert all(blurred[name] < 1 for name in same if name.startswith("SSIM"))
    tracked = [Tracked(Frame(f, i, i / 30), points, None, None) for i, f in enumerate(demo_frames[:3])]
    clip = Clip("demo", demo_frames[:3], tracked)
    assert flicker(clip, demo_frames[:3]) == 0
    assert flicker(clip, [demo_frames[0], 255 - demo_frames[1], demo_frames[2]]) > 10


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), min_size=2), st.data())
def test_pieces_of_two_runs_count_as_those_of_one(results: list[tuple[float, bool]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(results) - 1))
    whole = added(None, results)
    assert added(added(None, results[:cut]), results[cut:]) == pytest.approx(whole)
    assert whole["pieces"] == len(results)
    assert whole["least"] == min(score for score, _ in results)

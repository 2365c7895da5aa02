"""The face model: its asset, its fits, and expressions told apart from identities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import PuppetError
from engine.face import arkit
from engine.face import landmarks as lm
from engine.face.bounded import descend
from engine.face.expression import ExpressionFit
from engine.face.model import face_model
from engine.face.proportions import expressiveness
from engine.face.reference import reference_face
from engine.shipped import shipped, shipped_table
from models import weights

MODEL, MEAN = face_model(), reference_face().mean
DISTINCT = (
    "jawOpen",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthPucker",
    "browInnerUp",
    "eyeBlinkLeft",
    "eyeLookInLeft",
)


@pytest.mark.parametrize("name", ["face.npz", "mouth.npz"])
def test_another_file_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shipped_table(name)
    monkeypatch.setattr(weights, "read_sums", lambda folder: {name: "0" * 64})
    with pytest.raises(PuppetError, match="another file"):
        shipped_table(name)


def test_the_notice_is_shipped() -> None:
    notice = shipped("LICENSE.ICT-FaceKit").read_text()
    assert "USC Institute for Creative Technologies" in notice


def test_shapes_are_symmetric_and_tongue_moves_nothing() -> None:
    mirrored = MODEL.shapes[arkit.MIRROR][:, reference_face().mirror] * np.array([-1, 1, 1], np.float32)
    assert np.allclose(mirrored, MODEL.shapes, atol=2e-3)
    assert not MODEL.shapes[arkit.INDEX["tongueOut"]].any()
    moved = np.abs(MODEL.shapes).max((1, 2))
    assert (moved[np.arange(arkit.COUNT) != arkit.INDEX["tongueOut"]] > 0.005).all()


def test_shapes_do_what_their_names_say() -> None:
    def shown(**amounts: float) -> lm.Points:
        return MEAN + MODEL.offsets(arkit.coefficients(amounts))

    assert lm.lip_gap(shown(jawOpen=1)) > 0.3
    own_left, own_right = lm.lid_openings(shown(eyeBlinkLeft=1))[::-1]  # the viewer's right is the performer's left
    assert own_left < 0.02 < 0.25 < own_right
    width = lm.distance(MEAN, *lm.MOUTH_CORNERS)
    assert lm.distance(shown(mouthSmileLeft=1, mouthSmileRight=1), *lm.MOUTH_CORNERS) > width + 0.1
    assert lm.distance(shown(mouthPucker=1), *lm.MOUTH_CORNERS) < width - 0.1
    assert shown(browInnerUp=1)[107, 1] < MEAN[107, 1] - 0.02
    assert shown(eyeLookOutLeft=1)[473, 0] > MEAN[473, 0] + 0.03
    assert shown(eyeLookInRight=1)[468, 0] > MEAN[468, 0] + 0.03


@pytest.mark.parametrize("name", DISTINCT)
@pytest.mark.parametrize("amount", [0.3, 0.6, 1.0])
def test_a_shape_is_found_again(name: str, amount: float) -> None:
    found = MODEL.coefficients(MODEL.offsets(arkit.coefficients({name: amount})))
    # regularisation takes a fifth of what moves least, brows and eyes: ridge 0.01 beside 0.05 of squared displacement
    assert found[arkit.INDEX[name]] == pytest.approx(amount, abs=0.2 * amount + 0.02)
    assert np.delete(found, arkit.INDEX[name]).max() < 0.15


@given(st.dictionaries(st.sampled_from(DISTINCT), st.floats(0.1, 1), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_a_mix_of_shapes_is_shown_again(amounts: dict[str, float]) -> None:
    offsets = MODEL.offsets(arkit.coefficients(amounts))
    error = np.linalg.norm(MODEL.offsets(MODEL.coefficients(offsets)) - offsets, axis=1).mean()
    assert (
        error < 0.0042
    )  # of the inter-ocular distance; 0.0041 where a whole smile and a whole pucker pull at the lips at once


@given(st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_coefficients_stay_within_bounds(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.1, (lm.COUNT, 3)).astype(np.float32)
    found = MODEL.coefficients(noise)
    assert found.min() >= 0
    assert found.max() <= 1


@given(st.integers(0, 2**31), st.integers(2, 12))
@settings(max_examples=30, deadline=None)
def test_bounded_least_squares_leaves_no_way_down(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    columns = random.normal(size=(3 * count, count))
    gram, aim = columns.T @ columns + 0.1 * np.eye(count), random.normal(size=count) * 5
    low, high = np.zeros(count), np.ones(count)
    x = descend(gram, aim, np.full(count, 0.5), low, high, 200)
    slope = gram @ x - aim
    assert (np.abs(slope[(x > 0) & (x < 1)]) < 1e-4).all()
    assert (slope[x == 0] > -1e-4).all()
    assert (slope[x == 1] < 1e-4).all()


def test_a_hand_over_the_cheek_changes_little() -> None:
    smile = arkit.coefficients({"mouthSmileLeft": 0.7, "mouthSmileRight": 0.7})
    fit = ExpressionFit()
    offsets = MODEL.offsets(smile)
    clear = fit(offsets).coefficients.copy()
    covered = offsets.copy()
    covered[[50, 101, 118, 117, 123, 147, 187, 205, 36]] += np.array([0.3, -0.2, 0.1], np.float32)
    assert np.abs(fit(covered).coefficients - clear).max() < 0.12


def test_what_the_model_cannot_say_is_kept_where_nothing_moves() -> None:
    strange = np.zeros((lm.COUNT, 3), np.float32)
    strange[234] = strange[132] = (0.02, 0.0, 0.0)
    shown = ExpressionFit()(strange).offsets
    assert np.allclose(shown[132], strange[132], atol=0.003)


def test_no_expression_moves_the_bridge_of_the_nose() -> None:
    seen = expressiveness() * MODEL.offsets(arkit.coefficients({"noseSneerLeft": 1, "browInnerUp": 1}))
    assert np.abs(ExpressionFit()(seen).offsets[[6, 168, 4]]).max() < 0.001


def test_lids_stay_as_far_apart_as_they_were_tracked() -> None:
    """An eye that shuts as the model's shapes can't say it."""
    offsets = np.zeros((lm.COUNT, 3), np.float32)
    upper, lower = lm.LID_PAIRS_LEFT[:, 0], lm.LID_PAIRS_LEFT[:, 1]
    offsets[upper, 1] = 0.8 * (MEAN[lower, 1] - MEAN[upper, 1])
    shown = ExpressionFit()(offsets).offsets
    assert np.allclose(shown[upper] - shown[lower], offsets[upper] - offsets[lower], atol=1e-5)

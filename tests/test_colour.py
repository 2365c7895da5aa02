"""Colours and light of one face carried to another's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.face.light import LEAST, MOST, Light, basis, fit_light, ratio, vertex_normals
from engine.face.reference import reference_face
from engine.puppet.format import Puppet
from engine.render.colour import ColourMatch, Statistics, evenly_lit, plain_table, table_between
from kernels.match_colour.cpu import match_colour

SEEDS = st.integers(0, 2**32 - 1)


def picture(seed: int, mean: tuple[float, float, float] = (110, 130, 170), spread: float = 12) -> NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    return np.clip(random.normal(mean, spread, (40, 40, 3)), 0, 255).astype(np.uint8)


def statistics(bgr: NDArray[np.uint8]) -> Statistics:
    found = Statistics.of(bgr, np.full(bgr.shape[:2], 255, np.uint8))
    assert found is not None
    return found


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_colours_matched_to_themselves_stay(seed: int) -> None:
    own = picture(seed)
    table = table_between(statistics(own), statistics(own))
    assert np.abs(table - plain_table()).max() < 1.0


@given(SEEDS, st.tuples(*[st.floats(80, 180)] * 3))
@settings(max_examples=20, deadline=None)
def test_the_mean_goes_over(seed: int, mean: tuple[float, float, float]) -> None:
    of, to = picture(seed), picture(seed + 1, mean)
    out = np.empty_like(of)
    match_colour(of, table_between(statistics(of), statistics(to)), out)
    assert (
        np.abs(statistics(out).mean - statistics(to).mean).max() < 2.0
    )  # Lab; the table is linear between its entries


def test_a_shadow_that_only_the_layer_has_goes_and_its_grain_stays() -> None:
    y, x = np.mgrid[0:200, 0:160].astype(np.float32)
    shadow = 30 * np.exp(-((x - 110) ** 2 + (y - 60) ** 2) / (2 * 30**2))
    grain = np.random.default_rng(3).normal(0, 6, (200, 160, 1))
    face = np.full((200, 160, 3), (110, 130, 170), np.float32)
    layer = np.clip(face + grain - shadow[..., None], 0, 255).astype(np.uint8)
    skin = np.full((200, 160), 255, np.uint8)
    lit = evenly_lit(layer, face.astype(np.uint8), skin, unit_px=60)
    left = cv2.GaussianBlur(lit.astype(np.float32) - face, (0, 0), 6)
    assert np.abs(left).max() < 0.4 * 30
    assert (lit - cv2.GaussianBlur(lit.astype(np.float32), (0, 0), 3)).std() > 0.9 * grain.std()


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_light_is_left_alone_where_it_is_the_same_or_no_skin_is_seen(seed: int) -> None:
    layer, other = picture(seed), picture(seed + 1, (60, 70, 80))
    skin = np.full(layer.shape[:2], 255, np.uint8)
    assert np.array_equal(evenly_lit(layer, layer, skin, 20), layer)
    assert np.array_equal(evenly_lit(layer, other, np.zeros_like(skin), 20), layer)


def test_too_few_pixels_tell_nothing_and_what_was_known_stays() -> None:
    bare = np.zeros((40, 40), np.uint8)
    assert Statistics.of(picture(0), bare) is None
    match = ColourMatch()
    assert np.array_equal(match(None, None, 0.0), plain_table())
    known = match(statistics(picture(0)), statistics(picture(1, (90, 90, 90))), 1.0)
    assert np.allclose(match(None, None, 2.0), known, atol=1e-3)


def test_a_change_of_light_goes_over_smoothly() -> None:
    match, own = ColourMatch(), statistics(picture(0))
    match(own, own, 0.0)
    bright = statistics(picture(1, (150, 170, 210)))
    levels = [float(match(own, bright, step / 30)[8, 8, 8].mean()) for step in range(1, 90)]
    assert levels == sorted(levels)
    assert levels[0] - levels[-1] < -20
    assert max(np.diff(levels)) < 4


def test_light_is_found_again_on_a_face_that_was_lit_by_it() -> None:
    points = (reference_face().mean * 60 + (100, 100, 0)).astype(np.float32)
    normals = vertex_normals(points)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
    assert normals[4, 2] < -0.5  # the tip of the nose faces the camera
    light = Light(np.array([120, 10, -30, 25, 0, 0, 0, 0, 0], np.float32))
    luma = light.shade(normals)
    canvas = np.zeros((220, 220), np.float32)
    for (x, y), value in zip(points[:468, :2].round().astype(int), luma, strict=True):
        cv2.circle(canvas, (int(x), int(y)), 2, float(value), -1)
    found = fit_light(np.repeat(canvas.astype(np.uint8)[..., None], 3, axis=2), points)
    seen = normals[normals[:, 2] < -0.4]
    assert np.corrcoef(found.shade(seen), light.shade(seen))[0, 1] > 0.97


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_ratios_of_lights_are_bounded_and_1_for_one_light(seed: int) -> None:
    random = np.random.default_rng(seed)
    normals = random.normal(0, 1, (50, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    a, b = (Light(random.normal(60, 60, 9).astype(np.float32)) for _ in range(2))
    between = ratio(a, normals, b, normals)
    assert LEAST - 1e-6 <= between.min() <= between.max() <= MOST + 1e-6
    assert np.allclose(ratio(a, normals, a, normals), 1)
    assert basis(normals).shape == (50, 9)


def test_light_off_the_picture_is_no_light(bruno: Puppet) -> None:
    reference = bruno.references[0]
    away = reference.landmarks_px + np.array([9000, 0, 0], np.float32)
    assert fit_light(reference.picture, away).shade(np.array([[0, 0, -1]], np.float32)) == pytest.approx(128)

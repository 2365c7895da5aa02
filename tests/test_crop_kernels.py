"""Kernels that cut crops for networks and lay their answers back, every implementation against its definition."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from devices import implementations, load, smooth_picture
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels.lay_back import FAINT

SEEDS = st.integers(0, 2**32 - 1)


def _placed(random: np.random.Generator, size: int, scale: float, middle: tuple[float, float]) -> NDArray[np.float32]:
    """(2, 3): a crop of so many pixels, turned at will, its middle somewhere; every other one mirrored."""
    angle = random.uniform(-0.6, 0.6)
    right = np.array([np.cos(angle), np.sin(angle)]) * scale * random.choice([-1, 1])
    down = np.array([-np.sin(angle), np.cos(angle)]) * scale
    return np.column_stack([right, down, middle - (right + down) * (size - 1) / 2]).astype(np.float32)


@implementations
@pytest.mark.parametrize("kind", [np.uint8, np.float16])
@given(SEEDS, st.floats(0.3, 3.5), st.booleans())
@settings(max_examples=15, deadline=None)
def test_crop_normalise_equals_reference(implementation: str, kind: type, seed: int, scale: float, near: bool) -> None:
    """On smooth pictures and maps; a crop may lie partly or wholly outside."""
    random = np.random.default_rng(seed)
    height, width, count, size = 90, 120, 2, 24
    picture = np.asarray(cv2.GaussianBlur(smooth_picture(random, height, width), (0, 0), 6), np.uint8)
    bend = cv2.resize(random.normal(0, 9, (5, 6, 2)), (width, height), interpolation=cv2.INTER_CUBIC)
    backward = (np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1) + bend).astype(np.float32)
    beside = [random.integers(0, 256, (count, size, size, 3), np.uint8) for _ in range(2)]
    middles = random.uniform(0.3, 0.7, (count, 2)) * (width, height) if near else random.uniform(-40, 160, (count, 2))
    scales = scale, 0.6 * scale
    matrices = np.stack([_placed(random, size, s, tuple(m)) for s, m in zip(scales, middles, strict=True)])
    units = np.array(scales, np.float32)
    expected, found = (
        np.zeros((count, size, size, 10) if kind is np.uint8 else (count, 10, size, size), kind) for _ in range(2)
    )
    load("crop_normalise", "reference")(picture, backward, matrices, *beside, units, expected)
    load("crop_normalise", implementation)(picture, backward, matrices, *beside, units, found)
    if kind is np.float16:
        expected, found = ((c.transpose(0, 2, 3, 1).astype(np.float32) + 1) * 127.5 for c in (expected, found))
    difference = np.abs(expected.astype(float) - found)
    assert difference[..., 3:9].max() <= 0.1  # what lies beside is passed on: float16 has four steps a grey level
    assert difference[..., :3].max() <= 1.1  # a half may round the other way
    assert np.percentile(difference[..., 9], 99) <= 1.1  # the logarithm of an area near 0 is steep
    assert difference[..., 9].mean() <= 0.1


@implementations
@pytest.mark.parametrize("kind", [np.uint8, np.float16])
@given(SEEDS, st.floats(0.3, 3.0), st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=15, deadline=None)
def test_lay_back_equals_reference(implementation: str, kind: type, seed: int, scale: float, detail: float) -> None:
    random = np.random.default_rng(seed)
    height, width, count, size = 80, 110, 2, 24
    picture = smooth_picture(random, height, width)
    middles = random.uniform(-0.1, 1.1, (count, 2)) * (width, height)
    matrices = np.stack([_placed(random, size, scale, tuple(m)) for m in middles])
    crops = np.stack([smooth_picture(random, size, size) for _ in range(count)])
    drawn = np.concatenate(
        [np.stack([smooth_picture(random, size, size) for _ in range(count)]), crops[..., :1] / 255], axis=3
    )
    drawn = drawn.astype(np.float32)
    if kind is np.float16:
        crops = (crops.transpose(0, 3, 1, 2) / np.float32(127.5) - 1).astype(np.float16)
    expected, found = picture.copy(), picture.copy()
    load("lay_back", "reference")(expected, drawn, crops, matrices, detail)
    load("lay_back", implementation)(found, drawn, crops, matrices, detail)
    difference = np.abs(expected.astype(int) - found)
    assert difference.max() <= 2  # a half of colour, matte or detail may round the other way
    assert (difference > 1).mean() <= 0.001


@implementations
def test_lay_back_of_an_empty_or_faint_matte_or_elsewhere_changes_nothing(implementation: str) -> None:
    picture = smooth_picture(np.random.default_rng(3), 60, 70)
    crops = np.zeros((1, 24, 24, 10), np.uint8)
    for matte, left in ((0.0, 20), (FAINT / 255, 20), (1.0, 900)):
        drawn = np.full((1, 24, 24, 4), matte, np.float32)
        found = picture.copy()
        load("lay_back", implementation)(found, drawn, crops, np.array([[[1, 0, left], [0, 1, 20]]], np.float32), 0.5)
        assert np.array_equal(found, picture)

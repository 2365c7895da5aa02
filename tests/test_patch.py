"""Soft mattes: what is made of fewer pixels is what a Gaussian makes of all."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.render.patch import softened


@settings(max_examples=60, deadline=None)
@given(st.integers(20, 400), st.integers(20, 500), st.floats(0.6, 20), st.integers(0, 1000))
def test_a_wide_gaussian_of_fewer_pixels_is_a_gaussian(height: int, width: int, sigma_px: float, seed: int) -> None:
    """Of mouths that reach the edge of their region, at any size."""
    random, matte = np.random.default_rng(seed), np.zeros((height, width), np.uint8)
    middle, half = random.uniform(0, (width, height)), random.uniform(0.1, 0.6, 2) * (width, height)
    cv2.ellipse(matte, middle.astype(int).tolist(), half.astype(int).tolist(), 0, 0, 360, 255, -1, cv2.LINE_AA)
    shade = matte.astype(np.float32) / 255
    found, expected = softened(shade, sigma_px), cv2.GaussianBlur(shade, (0, 0), sigma_px)
    assert found.shape == shade.shape
    assert np.abs(found - expected).max() < 0.02
    assert np.abs(found - expected).mean() < 0.005

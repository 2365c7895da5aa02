"""The target is read from pictures as a camera takes them of a screen: tilted, blurred, noisy, compressed, half refreshed."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.latency.glass import measure_glass
from benchmarks.latency.strip import Stamp
from benchmarks.latency.target import STRIPS, TargetReader, blank_target, stamp_target
from engine.config import RunConfig
from engine.errors import SourceError
from engine.live.frame import Frame

CAMERA_PX = (1280, 720)
DELAY_S = 0.04


def screen(newest: int, at_s: float = 50.0) -> NDArray[np.uint8]:
    """The target after refresh number `newest`, a refresh each 60th of a second."""
    picture = blank_target()
    for index in range(max(0, newest - STRIPS + 1), newest + 1):
        stamp_target(picture, Stamp(index, at_s + index / 60))
    return picture


def filmed(
    target: NDArray[np.uint8], yaw_deg: float = 0, pitch_deg: float = 0, roll_deg: float = 0, share: float = 0.8,
    blur_px: float = 0, quality: int = 90, light: float = 1.0,
) -> NDArray[np.uint8]:  # fmt: skip
    """What a camera takes of it: `share` is how much of the picture's height it fills."""
    height, width = target.shape[:2]
    corners = np.array([(x * width / height, y, 0.0) for y in (-0.5, 0.5) for x in (-0.5, 0.5)])
    rotation = cv2.Rodrigues(np.radians([pitch_deg, 0, 0]))[0] @ cv2.Rodrigues(np.radians([0, yaw_deg, 0]))[0]
    seen = corners @ (cv2.Rodrigues(np.radians([0, 0, roll_deg]))[0] @ rotation).T + (0, 0, 2.0)
    flat = seen[:, :2] / seen[:, 2:] * 2.0 * share * CAMERA_PX[1] + np.array(CAMERA_PX) / 2
    source = np.array([(x, y) for y in (0, height) for x in (0, width)], np.float32)
    homography = cv2.getPerspectiveTransform(source, flat.astype(np.float32))
    picture = cv2.warpPerspective(target, homography, CAMERA_PX, flags=cv2.INTER_AREA, borderValue=(70, 80, 90))
    if blur_px:
        picture = cv2.GaussianBlur(picture, (0, 0), blur_px)
    noise = np.random.default_rng(0).normal(0, 4, picture.shape)
    picture = np.clip(picture * light + 12 + noise, 0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


@given(
    st.floats(-25, 25), st.floats(-20, 20), st.floats(-10, 10), st.floats(0.55, 0.85),
    st.floats(0, 2.0), st.integers(30, 95), st.floats(0.4, 1.0),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_tilted_blurred_and_compressed_pictures_are_read(
    yaw: float, pitch: float, roll: float, share: float, blur: float, quality: int, light: float
) -> None:
    found = TargetReader().read(filmed(screen(103), yaw, pitch, roll, share, blur, quality, light))
    assert found is not None
    assert found.index == 103


@given(st.floats(0, 1), st.integers(4, 1000))
@settings(max_examples=20, deadline=None)
def test_an_exposure_over_a_refresh_gives_one_of_both_and_nothing_else(share: float, newest: int) -> None:
    before, after = screen(newest - 1).astype(float), screen(newest).astype(float)
    found = TargetReader().read(filmed((before + (after - before) * share).astype(np.uint8)))
    assert found is not None
    assert found.index in (newest - 1, newest)


def test_the_last_place_serves_where_a_hand_covers_the_markers() -> None:
    reader = TargetReader()
    assert reader.read(filmed(screen(20))) is not None
    covered = filmed(screen(24))
    covered[:170] = 30
    found = reader.read(covered)
    assert found is not None
    assert found.index == 24


def test_a_picture_without_a_target_says_nothing() -> None:
    assert TargetReader().read(np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)) is None


class Filming:
    """A camera before a screen that draws with a known delay."""

    reconnected = 0

    def __init__(self, *, shows_target: bool) -> None:
        self._target, self._index, self._shows = blank_target(), -1, shows_target

    def read(self) -> Frame | None:
        self._index += 1
        if self._index == 12:
            return None
        for step in range(2):
            stamp_target(self._target, Stamp(2 * self._index + step, time.monotonic() - DELAY_S))
        picture = filmed(self._target) if self._shows else np.zeros((720, 1280, 3), np.uint8)
        return Frame(picture, self._index, time.monotonic())

    def close(self) -> None:
        pass


SETTING = RunConfig(puppet="bruno", size=(320, 180), output=("null",))


def test_the_whole_way_is_screen_and_camera_and_loop() -> None:
    found = measure_glass(Filming(shows_target=True), SETTING, 60)
    assert found["target_read"] == found["pictures"] > 6
    assert found["screen_and_camera_ms"]["p50"] >= DELAY_S * 1e3
    assert found["whole_ms"]["max"] >= found["screen_and_camera_ms"]["p50"]
    assert found["whole_ms"]["p50"] > found["loop_ms"]["p50"]


def test_a_camera_that_looks_elsewhere_is_told_where_to_look() -> None:
    with pytest.raises(SourceError, match="four markers"):
        measure_glass(Filming(shows_target=False), SETTING, 60)

"""The strip survives what happens to pictures, and what is read from it is what was painted."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.latency.compare import slower
from benchmarks.latency.measure import Setting, Way, measure
from benchmarks.latency.page import page
from benchmarks.latency.stages import Backlog
from benchmarks.latency.strip import Stamp, draw_strip, read_strip, strip_height
from benchmarks.latency.suite import WAYS
from engine.machine import describe

STAMPS = st.builds(Stamp, st.integers(0, 2**24 - 1), st.integers(0, 2**40 - 1).map(lambda ticks: ticks / 100_000))


def picture(width: int = 1280, height: int = 720) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


def equal(found: Stamp | None, stamp: Stamp) -> bool:
    return found is not None and found.index == stamp.index and abs(found.time_s - stamp.time_s) < 2e-5


@given(STAMPS)
@settings(max_examples=60, deadline=None)
def test_what_was_painted_is_read(stamp: Stamp) -> None:
    canvas = picture(320, 180)
    draw_strip(canvas, stamp)
    assert equal(read_strip(canvas), stamp)


@given(
    STAMPS,
    st.sampled_from([(640, 360), (1920, 1080), (854, 480), (427, 240)]),
    st.floats(0.5, 1.2),
    st.integers(-15, 40),
)
@settings(max_examples=40, deadline=None)
def test_scaling_and_light_do_no_harm(stamp: Stamp, size: tuple[int, int], gain: float, offset: int) -> None:
    canvas = picture()
    draw_strip(canvas, stamp)
    small = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
    changed = np.clip(small * gain + offset, 0, 255).astype(np.uint8)
    assert equal(read_strip(changed), stamp)


@given(STAMPS, st.integers(0, 87), st.integers(0, 87))
@settings(max_examples=60, deadline=None)
def test_a_damaged_strip_is_not_believed(stamp: Stamp, first: int, second: int) -> None:
    """One or two cells painted over: either nothing changed, or nothing is read."""
    canvas = picture()
    draw_strip(canvas, stamp)
    tall, wide = strip_height(720) // 2, 1280 / 44
    for cell in (first, second):
        row, column = divmod(cell, 44)
        part = np.s_[row * tall : (row + 1) * tall, int(column * wide) : int((column + 1) * wide) + 1]
        canvas[part] = 255 - canvas[part]
    found = read_strip(canvas)
    assert found is None or equal(found, stamp)


def test_a_picture_without_a_strip() -> None:
    assert read_strip(picture()) is None
    assert read_strip(np.zeros((720, 1280, 3), np.uint8)) is None


def test_every_strip_survives_h264_at_one_megabit(tmp_path: Path, demo_frames: list[NDArray[np.uint8]]) -> None:
    path, stamps = tmp_path / "out.mp4", [Stamp(i, 12345.0 + i / 30) for i in range(len(demo_frames))]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30))
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 1280, 720, "yuv420p", 1_000_000
        stream.options = {"preset": "ultrafast", "tune": "zerolatency"}
        for stamp, small in zip(stamps, demo_frames, strict=True):
            large = np.asarray(cv2.resize(small, (1280, 720)), np.uint8)
            draw_strip(large, stamp)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(large, format="bgr24")))
        container.mux(stream.encode(None))
    assert path.stat().st_size < 1.3 * 1_000_000 / 8 * len(stamps) / 30
    with av.open(str(path)) as container:
        found = [read_strip(frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]
    assert len(found) == len(stamps)
    assert all(equal(f, s) for f, s in zip(found, stamps, strict=True))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_backlog_forgets_nothing(count: int) -> None:
    backlog: Backlog[int] = Backlog()
    for number in range(count):
        assert backlog.put(number)
    assert [backlog.take(0) for _ in range(count)] == list(range(count))
    backlog.close()
    assert backlog.done
    assert not backlog.put(1)
    assert backlog.take() is None


def report(p50: float, p99: float, *more: float, processor: str = "same") -> dict[str, Any]:
    runs = [{"setting": {"name": "a"}, "age_ms": {"p50": p + p50, "p99": p + p99}} for p in (0.0, *more)]
    return {"machine": {"processor": processor, "cores": 2}, "runs": runs}


def test_what_got_slower_is_said_beyond_the_margin() -> None:
    assert slower(report(20, 30), report(20.5, 30.5)) == []
    assert slower(report(20, 30), report(25, 30)) == ["a: age p50 25.0 ms, was 20.0 (margin 2.0)"]
    assert slower(report(20, 30, 4.0), report(25, 30, 4.0)) == []  # repeated runs differ by 4 ms themselves
    assert slower(report(25, 30), report(20, 30)) == []
    assert "not comparable" in slower(report(20, 30), report(20, 30, processor="another"))[0]
    gone = report(20, 30)
    gone["runs"][0]["setting"]["name"] = "b"
    assert slower(gone, report(20, 30)) == ["b: measured then, not now"]


@pytest.mark.parametrize("way", WAYS)
def test_age_is_read_from_the_pictures_whatever_the_way(way: Way) -> None:
    found = measure(Setting("short", way=way, size=(320, 180), seconds=1.5))
    assert found["unreadable"] == 0
    assert found["out_of_order"] == 0
    assert found["pictures"] >= 3
    assert 0 < found["age_ms"]["p50"] <= found["age_ms"]["p99"] <= found["age_ms"]["max"]
    text = page({"runs": [found], "machine": describe()})
    assert text.count("<svg") == 3
    assert not re.search(r'(src|href)="https?:|<script|<link', text)  # needs nothing else


def test_newest_wins_keeps_age_flat_where_a_backlog_grows() -> None:
    """The renderer takes four periods: with mailboxes the age stays under two of them, with queues it doesn't."""
    slow = {"size": (320, 180), "seconds": 4.0, "render_extra_ms": 130.0}
    newest = measure(Setting("newest", way="mailboxes", **slow))
    backlog = measure(Setting("backlog", way="queues", **slow))
    assert newest["skipped"] > 0
    ages = [age for _, age in backlog["age_over_time"]]
    assert ages[-1] > 3 * newest["age_ms"]["p50"]

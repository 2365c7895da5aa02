"""Sinks: recordings that survive, virtual cameras, windows."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import pyvirtualcam
from pyvirtualcam import PixelFormat

from engine.capture.video_file import VideoFile
from engine.errors import ConfigError, OutputError
from engine.live.frame import Frame
from engine.output import window
from engine.output.open import open_sinks
from engine.output.video_file import WAITING, VideoFileSink
from engine.output.virtual_camera import VirtualCameraSink
from engine.output.window import WindowSink, screen_available


def frame(index: int, time_s: float, size: tuple[int, int] = (64, 96)) -> Frame:
    return Frame(np.full((*size, 3), (index * 20) % 256, np.uint8), index, time_s)


def test_recording_keeps_the_true_times(recording: Path) -> None:
    sink = VideoFileSink(recording, 30, wait=True)
    times = [10.0, 10.033, 10.1, 10.5, 10.51]
    for index, time_s in enumerate(times):
        sink.send(frame(index, time_s))
    sink.close()
    found = [f.captured_s for f in VideoFile(recording)]
    assert found == pytest.approx([t - times[0] for t in times], abs=1e-4)


def test_recording_shows_what_was_sent(recording: Path) -> None:
    sink = VideoFileSink(recording, 30, wait=True)
    for index in range(12):
        sink.send(frame(index, index / 30))
    sink.close()
    for sent, found in zip(range(12), VideoFile(recording), strict=True):
        assert abs(int(found.bgr.mean()) - (sent * 20) % 256) <= 6  # limited range and x264


def test_recording_is_playable_when_the_run_dies(recording: Path) -> None:
    """Nothing closes the file: what was written in whole fragments still plays."""
    sink = VideoFileSink(recording, 10, wait=True)
    for index in range(200):
        sink.send(frame(index, index / 10))
    while not sink._queue.empty():
        os.sched_yield()
    assert len(list(VideoFile(recording))) >= 170  # all but a fragment of ten and what the encoder holds back
    sink.close()


def test_recording_of_odd_size(recording: Path) -> None:
    sink = VideoFileSink(recording, 30, wait=True)
    sink.send(frame(0, 0.0, (65, 97)))
    sink.close()
    assert next(iter(VideoFile(recording))).bgr.shape == (64, 96, 3)


def test_recording_into_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"to write the recording .*nowhere.*Choose a folder"):
        VideoFileSink(tmp_path / "nowhere" / "out.mp4", 30)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a Linux device")
def test_full_disk_ends_the_recording_with_a_reason() -> None:
    sink = VideoFileSink(Path("/dev/full"), 30, wait=True)
    with pytest.raises(OutputError, match="to write the recording /dev/full"):
        for index in range(2000):
            sink.send(frame(index, index / 30))
        sink.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a Linux device")
def test_disk_that_is_full_only_at_the_end() -> None:
    """So few pictures that nothing is written before the recording is finished."""
    sink = VideoFileSink(Path("/dev/full"), 30, wait=True)
    for index in range(3):
        sink.send(frame(index, index / 30))
    with pytest.raises(OutputError, match="to write the recording /dev/full"):
        sink.close()


def test_encoder_that_is_missing_is_an_error_and_blocks_nobody(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_such_encoder(*_: Any) -> None:
        raise ValueError("unknown codec 'libx264'")

    monkeypatch.setattr(VideoFileSink, "_add_stream", no_such_encoder)
    sink = VideoFileSink(recording, 30, wait=True)
    with pytest.raises(OutputError, match="unknown codec"):
        for index in range(100):
            sink.send(frame(index, index / 30))
        sink.close()


def test_what_a_recording_leaves_out_is_counted(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(VideoFileSink, "_encode", lambda *_: go_on.wait(60))
    sink = VideoFileSink(recording, 30)
    for index in range(20):
        sink.send(frame(index, index / 30))
    assert sink.left_out >= 20 - WAITING - 1
    go_on.set()
    sink.close()


class FakeCamera:
    """A double for pyvirtualcam's back end."""

    opened: ClassVar[list[dict[str, Any]]] = []
    received: ClassVar[list[int]] = []

    def __init__(self, **options: Any) -> None:
        if options["device"] == "/dev/none":
            raise RuntimeError("'/dev/none' does not exist")
        FakeCamera.opened.append(options)

    def device(self) -> str:
        return "/dev/fake"

    def native_fourcc(self) -> int:
        return PixelFormat.BGR.value

    def send(self, picture: Any) -> None:
        FakeCamera.received.append(int(np.asarray(picture).reshape(-1)[0]))

    def close(self) -> None:
        FakeCamera.opened.pop()


@pytest.fixture
def fake_camera() -> Iterator[type[FakeCamera]]:
    pyvirtualcam.register_backend("fake", FakeCamera)
    FakeCamera.opened.clear()
    FakeCamera.received.clear()
    yield FakeCamera


def test_virtual_camera_gets_pictures_and_opens_again(fake_camera: type[FakeCamera]) -> None:
    for _ in range(2):
        sink = VirtualCameraSink((96, 64), 30, backend="fake")
        sink.send(frame(1, 0.0))
        sink.send(frame(2, 0.1))
        assert (fake_camera.opened[-1]["width"], fake_camera.opened[-1]["height"]) == (96, 64)
        sink.close()
        assert fake_camera.opened == []
    assert fake_camera.received == [20, 40, 20, 40]


def test_missing_virtual_camera_says_how_to_get_one(fake_camera: type[FakeCamera]) -> None:
    with pytest.raises(OutputError, match=r"virtual camera /dev/none at 96 x 64: .*'/dev/none' does not exist\. \w+"):
        VirtualCameraSink((96, 64), 30, device="/dev/none", backend="fake")


def test_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.output.window.sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(OutputError, match="a screen for the window: none, or it does not answer"):
        WindowSink({})


@pytest.mark.parametrize("spec", ["telepathy", "file", "file:", "null:x"])
def test_unknown_output_lists_the_known(spec: str) -> None:
    with pytest.raises(ConfigError, match=r"virtual, virtual:DEVICE, window, file:OUT\.mp4, null"):
        open_sinks([spec], (64, 64), 30, {})


def test_sinks_before_a_bad_one_are_closed(recording: Path) -> None:
    before = set(threading.enumerate())
    with pytest.raises(ConfigError):
        open_sinks([f"file:{recording}", "telepathy"], (64, 64), 30, {})
    assert not {thread for thread in threading.enumerate() if thread.name == "record"} - before


def test_the_same_output_twice(recording: Path) -> None:
    with pytest.raises(ConfigError, match="twice"):
        open_sinks([f"file:{recording}", "null", f"file:{recording}"], (64, 64), 30, {})


@pytest.mark.skipif(sys.platform != "linux", reason="screens are asked for through DISPLAY on Linux")
def test_a_screen_that_does_not_answer_is_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":7654")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not screen_available()


def test_keys_and_the_closing_of_a_window_do_what_they_are_bound_to(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, visible, done = iter([ord("n"), 27, -1, -1]), iter([1, 1, 1, 0]), list[str]()
    monkeypatch.setattr(window, "require_screen", lambda: None)
    for name in ("namedWindow", "resizeWindow", "imshow"):
        monkeypatch.setattr(window.cv2, name, lambda *_: None)
    monkeypatch.setattr(window.cv2, "waitKey", lambda _: next(keys))
    monkeypatch.setattr(window.cv2, "getWindowProperty", lambda *_: next(visible))
    sink = WindowSink({"n": lambda: done.append("n"), "esc": lambda: done.append("esc")})
    for index in range(4):
        sink.send(frame(index, 0.0))
    assert done == ["n", "esc", "esc"]


@pytest.mark.skipif(sys.platform != "linux", reason="a driver of Linux")
def test_a_virtual_camera_left_stuck_is_freed_though_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.output import v4l2loopback

    def described(device: str) -> bytes:
        if device == "/dev/video0":
            raise OSError("busy")
        name = b"v4l2 loopback" if device == "/dev/video2" else b"uvcvideo"
        return name.ljust(88, b"\0") + bytes(16)  # neither capture nor output: its last writer left it so

    freed: list[str] = []
    monkeypatch.setattr(v4l2loopback, "_described", described)
    monkeypatch.setattr(v4l2loopback, "say_writer_left", freed.append)
    monkeypatch.setattr(Path, "glob", lambda *_: [Path(f"/dev/video{number}") for number in range(3)])
    assert v4l2loopback.devices() == ["/dev/video2"]
    monkeypatch.setattr(pyvirtualcam, "Camera", lambda *_, **__: "a camera")
    VirtualCameraSink((64, 48), 30)
    assert freed == ["/dev/video2"]

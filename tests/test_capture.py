"""Sources, with what goes wrong with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from engine.capture import stream as stream_module
from engine.capture import video_file
from engine.capture import webcam as webcam_module
from engine.capture.open import demo_clip, open_source
from engine.capture.pictures import Pictures
from engine.capture.stream import NetworkStream
from engine.capture.synthetic import STATES, SyntheticCamera
from engine.capture.video_file import PacedVideo, VideoFile
from engine.capture.webcam import Webcam, WebcamFormat
from engine.errors import ConfigError, SourceError
from engine.live.frame import Frame
from engine.live.script import parse_script

ANY = WebcamFormat()


class FakeCapture:
    """Stands for OpenCV's capture: a written list of reads, and the format that it insists on."""

    def __init__(
        self, reads: Iterator[bool], size: tuple[int, int] = (640, 480), rate: float = 30, opened: bool = True
    ) -> None:
        self.reads, self.opened, self.released = reads, opened, False
        self.values = {cv2.CAP_PROP_FRAME_WIDTH: size[0], cv2.CAP_PROP_FRAME_HEIGHT: size[1], cv2.CAP_PROP_FPS: rate}
        self.asked: list[tuple[int, float]] = []

    def isOpened(self) -> bool:
        return self.opened

    def set(self, key: int, value: float) -> bool:
        self.asked.append((key, value))
        return True

    def get(self, key: int) -> float:
        return self.values[key]

    def read(self) -> tuple[bool, Any]:
        good = next(self.reads, False)
        size = (int(self.values[cv2.CAP_PROP_FRAME_HEIGHT]), int(self.values[cv2.CAP_PROP_FRAME_WIDTH]), 3)
        return good, np.full(size, 77, np.uint8) if good else None

    def release(self) -> None:
        self.released = True


def test_no_camera_says_so_and_names_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webcam_module.sys, "platform", "linux")
    with pytest.raises(SourceError, match=r"/dev/video77: no camera at all.*--camera demo"):
        monkeypatch.setattr(webcam_module, "cameras", list)
        Webcam("77", ANY, lambda _: FakeCapture(iter([]), opened=False))


def test_camera_taken_by_another_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()
    monkeypatch.setattr(webcam_module.sys, "platform", "linux")
    monkeypatch.setattr(webcam_module, "resolve", lambda spec: spec)
    with pytest.raises(SourceError, match=r"can't be opened.*Another program may be using it"):
        Webcam(str(device), ANY, lambda _: FakeCapture(iter([]), opened=False))


def test_refused_format_says_what_the_camera_gives() -> None:
    capture = FakeCapture(iter([True]), size=(640, 480), rate=15)
    with pytest.raises(SourceError, match=r"1280 x 720 at 30 Hz.*it gives 640 x 480 at 15 Hz.*--camera-size"):
        Webcam("0", WebcamFormat(1280, 720, 30), lambda _: capture)
    assert capture.released
    assert (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")) in capture.asked


def test_accepted_format_is_read_back() -> None:
    camera = Webcam("0", WebcamFormat(640, 480, 30), lambda _: FakeCapture(iter([True, True])))
    first, second = camera.read(), camera.read()
    assert first is not None
    assert second is not None
    assert (first.index, second.index) == (0, 1)
    assert first.bgr.shape == (480, 640, 3)


def test_unplugged_camera_turns_dark_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 100.0}
    monkeypatch.setattr(webcam_module.time, "monotonic", lambda: clock["now"])
    lives = [FakeCapture(iter([True, False])), FakeCapture(iter([]), opened=False), FakeCapture(repeat(True))]
    opened = iter(lives)

    def sleep(seconds: float) -> None:
        clock["now"] += seconds

    camera = Webcam("0", ANY, lambda _: next(opened), sleep)
    frames = [camera.read() for _ in range(40)]
    bright = [bool(f is not None and f.bgr.any()) for f in frames]
    assert bright[0]
    assert not any(bright[1:6])
    assert camera.reconnected == 1
    assert any(bright[6:])
    assert [f.index for f in frames if f is not None] == list(range(40))
    assert lives[0].released


def test_closed_camera_ends() -> None:
    camera = Webcam("0", ANY, lambda _: FakeCapture(iter([True])))
    camera.close()
    assert camera.read() is None


def test_unknown_camera_name_lists_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webcam_module, "cameras", lambda: [("/dev/video3", "Front Camera")])
    assert webcam_module.resolve("front") == "/dev/video3"
    with pytest.raises(SourceError, match=r"'Logitech': /dev/video3 \(Front Camera\)"):
        webcam_module.resolve("Logitech")


def test_demo_clip_is_real_video() -> None:
    video = VideoFile(demo_clip())
    frames = list(video)
    assert len(frames) == 300
    assert frames[0].bgr.shape == (720, 1280, 3)
    assert frames[-1].captured_s == pytest.approx(299 / 30, abs=1e-3)
    assert np.abs(frames[0].bgr.astype(int) - frames[-1].bgr).mean() < 4  # it loops without a jump


@pytest.mark.parametrize("content", [b"", b"this is no video at all" * 50])
def test_empty_or_broken_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"clip\.mp4"):
        list(VideoFile(path))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        open_source(str(tmp_path / "nothing.mp4"), ANY, 30)


def test_truncated_video_gives_what_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    content = demo_clip().read_bytes()
    path.write_bytes(content[: len(content) // 2])
    frames = list(VideoFile(path))
    assert 20 < len(frames) < 300
    assert [f.index for f in frames] == list(range(len(frames)))


def short_clip(path: Path, rate_hz: int, at: Sequence[int] = (0, 1, 2)) -> Path:
    """A clip of pictures at whole multiples of a period, ever lighter."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate_hz)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number, time in enumerate(at):
            picture = av.VideoFrame.from_ndarray(
                np.full((64, 64, 3), 255 * number // len(at), np.uint8), format="bgr24"
            )
            picture.pts, picture.time_base = time, Fraction(1, rate_hz)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


class HandClock:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s


def test_paced_video_decodes_a_quarter_of_the_period_before_a_frame_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, decoded = HandClock(), []
    monkeypatch.setattr(video_file, "time", clock)
    video = PacedVideo(short_clip(tmp_path / "short.mp4", 10), loop=True)
    next_frame = video._next

    def noted() -> Frame | None:
        decoded.append(clock.now_s)
        return next_frame()

    monkeypatch.setattr(video, "_next", noted)
    due = [frame.captured_s for _ in range(7) if (frame := video.read()) is not None]
    assert due == pytest.approx([100 + index / 10 for index in range(7)])
    assert decoded == pytest.approx([100.0, *(at_s - 0.025 for at_s in due[1:])])


def test_paced_video_of_uneven_rate_gives_each_frame_when_it_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_file, "time", HandClock())
    periods = (0, 1, 2, 6, 8, 9, 10, 16)
    video = PacedVideo(short_clip(tmp_path / "uneven.mp4", 20, periods))
    due = [frame.captured_s for _ in periods if (frame := video.read()) is not None]
    assert due == pytest.approx([100 + period / 20 for period in periods])


def test_paced_video_loops_with_a_growing_index(tmp_path: Path) -> None:
    path = short_clip(tmp_path / "short.mp4", 200)
    video = PacedVideo(path, loop=True)
    frames = [video.read() for _ in range(7)]
    assert [f.index for f in frames if f is not None] == list(range(7))
    assert frames[0] is not None
    assert frames[3] is not None
    assert np.abs(frames[0].bgr.astype(int) - frames[3].bgr).max() < 8
    once = PacedVideo(path)
    assert [once.read() is not None for _ in range(4)] == [True, True, True, False]


def test_folder_gives_each_picture_once_in_order(tmp_path: Path) -> None:
    for index in (2, 0, 1):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((20, 20, 3), 50 * index, np.uint8))
    (tmp_path / "notes.txt").write_text("not a picture")
    source = open_source(str(tmp_path), ANY, 1000)
    levels = []
    while (frame := source.read()) is not None:
        levels.append(int(frame.bgr[0, 0, 0]))
    assert levels == [0, 50, 100]


def test_picture_repeats(tmp_path: Path) -> None:
    path = tmp_path / "still.png"
    cv2.imwrite(str(path), np.full((20, 30, 3), 9, np.uint8))
    source = Pictures(path, 1000)
    frames = [source.read() for _ in range(3)]
    assert [f.index for f in frames if f is not None] == [0, 1, 2]


def test_empty_folder_and_broken_picture(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="none"):
        Pictures(tmp_path, 30)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG but no more")
    with pytest.raises(SourceError, match="empty or damaged"):
        Pictures(broken, 30)


def test_unreachable_stream() -> None:
    with pytest.raises(SourceError, match=r"http://127\.0\.0\.1:9/"):
        open_source("http://127.0.0.1:9/", ANY, 30)


def test_stream_over_http() -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    handler = partial(Quiet, directory=str(demo_clip().parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stream = open_source(f"http://127.0.0.1:{server.server_port}/{demo_clip().name}", ANY, 30)
        frames = [stream.read() for _ in range(5)]
        stream.close()
        server.shutdown()
    assert [f.bgr.shape for f in frames if f is not None] == [(720, 1280, 3)] * 5
    assert frames[-1] is not None
    assert frames[0] is not None
    assert frames[-1].captured_s - frames[0].captured_s > 3.5 / 30  # a finite stream keeps its own pace


class Timed:
    """A connection to a recording that begins at `first_s` of its own time, and breaks or ends after three pictures."""

    duration = 1_000_000

    def __init__(self, first_s: float, *, breaks: bool = False) -> None:
        self._first_s, self._breaks = first_s, breaks

    def decode(self, video: int) -> Iterator[av.VideoFrame]:
        for index in range(3):
            picture = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 99, np.uint8), format="bgr24")
            picture.pts, picture.time_base = round(1000 * (self._first_s + index / 10)), Fraction(1, 1000)
            yield picture
        if self._breaks:
            raise av.InvalidDataError(1, "the line broke")

    def close(self) -> None:
        pass


def test_a_finite_stream_begins_at_once_whatever_its_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 0.0}
    monkeypatch.setattr(stream_module, "open_container", lambda *_: Timed(3600.0))
    monkeypatch.setattr(stream_module.time, "monotonic", lambda: clock["now"])
    monkeypatch.setattr(stream_module.time, "sleep", lambda s: clock.update(now=clock["now"] + s))
    stream = NetworkStream("http://127.0.0.1/late.ts")
    clock["now"] = 5.0  # something else was warmed up meanwhile
    times = [frame.captured_s for frame in iter(stream.read, None)]
    assert times == pytest.approx([5.0, 5.1, 5.2])


def test_a_finite_stream_that_breaks_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "open_container", lambda *_: Timed(0.0, breaks=True))
    stream = NetworkStream("http://127.0.0.1/broken.ts")
    with pytest.raises(SourceError, match="breaks after 3 frames"):
        list(iter(stream.read, None))


def test_live_stream_turns_dark_when_it_breaks_and_reconnects(monkeypatch: pytest.MonkeyPatch) -> None:
    class Connection:
        duration = None

        def decode(self, video: int) -> Iterator[av.VideoFrame]:
            for _ in range(3):
                yield av.VideoFrame.from_ndarray(np.full((16, 16, 3), 99, np.uint8), format="bgr24")
            raise av.InvalidDataError(1, "the line broke")

        def close(self) -> None:
            pass

    attempts = iter([Connection(), SourceError(wanted="a", found="b", advice="c"), Connection()])

    def connect(*_: Any) -> Connection:
        attempt = next(attempts)
        if isinstance(attempt, SourceError):
            raise attempt
        return attempt

    clock = {"now": 0.0}
    monkeypatch.setattr(stream_module, "open_container", connect)
    monkeypatch.setattr(stream_module.time, "monotonic", lambda: clock["now"])
    monkeypatch.setattr(stream_module.time, "sleep", lambda s: clock.update(now=clock["now"] + s))
    stream = NetworkStream("rtsp://127.0.0.1/")
    bright = []
    while stream.reconnected == 0:
        frame = stream.read()
        assert frame is not None
        bright.append(bool(frame.bgr.any()))
    assert bright[:3] == [True] * 3
    assert not any(bright[3:])
    assert 1.0 <= clock["now"] < 3.0  # half a second, then one more
    again = stream.read()
    assert again is not None
    assert again.bgr.any()


def test_script_is_followed() -> None:
    camera = SyntheticCamera("ok*2 dark skip*3 silent noise", [np.full((6, 6, 3), 200, np.uint8)])
    frames = []
    while (frame := camera.read()) is not None:
        frames.append((frame.index, int(frame.bgr.mean())))
    assert [i for i, _ in frames] == [0, 1, 2, 7]
    assert [m for _, m in frames[:3]] == [200, 200, 0]


@pytest.mark.parametrize("script", ["walk*3", "ok*x", "ok*-1"])
def test_script_that_makes_no_sense(script: str) -> None:
    with pytest.raises(ConfigError, match="STATE is one of"):
        parse_script(script, STATES)

"""The mark: what it carries, where it is found again, and that nothing else is taken for one."""

from __future__ import annotations

import datetime as dt
import json
import threading
from contextlib import suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from conftest import performance
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from typer.testing import CliRunner

from engine.cli import app
from engine.errors import SourceError
from engine.live.frame import Frame
from engine.puppet.format import Puppet
from engine.render.canvas import surround
from engine.render.portrait_view import PortraitView
from engine.render.scene import Scene
from engine.track.tracker import Tracked
from engine.trust.badge import Badge
from engine.trust.chips import Key
from engine.trust.detector import Finding, Listener
from engine.trust.pattern import pattern_of
from engine.trust.payload import Payload, chips_of, payload_in
from engine.trust.reader import read_mark
from engine.trust.seal import Seal
from kernels.embed_mark.cpu import embed_mark
from kernels.registry import load

KEY, OTHER = Key(bytes(range(32))), Key(bytes(32))
PAYLOAD = Payload(0x1234567, dt.date(2026, 11, 26))

payloads = st.builds(Payload, st.integers(0, 2**28 - 1), st.dates(dt.date(2020, 1, 1), dt.date(2199, 1, 1)))


@given(payloads)
def test_payload_round_trip(payload: Payload) -> None:
    assert Payload.from_bytes(payload.to_bytes()) == payload


@given(payloads, st.integers(0, 2**32 - 1), st.floats(0.01, 100))
@settings(max_examples=50, deadline=None)
def test_payload_comes_through_noise(payload: Payload, seed: int, loudness: float) -> None:
    """Chips at half of the noise's deviation: -6 dB."""
    noise = np.random.default_rng(seed).normal(0, 2, (15, 128))
    heard = payload_in(((chips_of(payload) + noise) * loudness).astype(np.float32))
    assert heard is not None
    assert heard.payload == payload


def test_noise_and_other_keys_carry_no_payload() -> None:
    random = np.random.default_rng(0)
    assert not any(payload_in(random.normal(0, 1, (15, 128)).astype(np.float32)) for _ in range(3000))
    assert payload_in(KEY.soft_chips(KEY.tile(PAYLOAD).astype(np.float32))).payload == PAYLOAD
    assert payload_in(OTHER.soft_chips(KEY.tile(PAYLOAD).astype(np.float32))) is None


def test_keys_share_only_the_public_third() -> None:
    same = (KEY.tile(PAYLOAD) == OTHER.tile(PAYLOAD)).mean()
    assert 0.6 < same < 0.73  # a third, and half of the rest by chance


@pytest.fixture(scope="module")
def picture(bruno: Puppet) -> NDArray[np.uint8]:
    """bruno at 1280 x 720."""
    photo = bruno.references[0].picture
    scale = 720 / photo.shape[0]
    return surround(np.asarray(cv2.resize(photo, None, fx=scale, fy=scale), np.uint8)[:720], 1280, 720)[0]


def marked(picture: NDArray[np.uint8], key: Key = KEY) -> NDArray[np.uint8]:
    result = picture.copy()
    embed_mark(result, pattern_of(key.tile(PAYLOAD), picture.shape[1], picture.shape[0]))
    return result


def found_in(*pictures: NDArray[np.uint8]) -> Finding:
    listener = Listener(pictures[0].shape[1], pictures[0].shape[0])
    for one in pictures:
        listener.add(np.asarray(cv2.cvtColor(np.ascontiguousarray(one), cv2.COLOR_BGR2GRAY), np.uint8))
    return listener.finding()


def jpeg(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1), np.uint8)


def resized(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def letterboxed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    canvas = np.full((1080, 1440, 3), 12, np.uint8)
    canvas[135:945] = cv2.resize(picture, (1440, 810))
    return canvas


def on_a_desktop(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    canvas = np.full((1080, 1920, 3), 200, np.uint8)
    canvas[203:743, 411:1371] = resized(picture, 960, 540)
    return canvas


CHANGES = {
    "none": lambda p: p,
    "jpeg": lambda p: jpeg(p, 40),
    "360 lines": lambda p: resized(p, 640, 360),
    "360 lines and back": lambda p: cv2.resize(resized(p, 640, 360), (1280, 720)),
    "1080 lines": lambda p: cv2.resize(p, (1920, 1080)),
    "4:3": lambda p: p[:, 160:1120],
    "4:3 at 480 lines": lambda p: jpeg(resized(p[:, 160:1120], 640, 480), 50),
    "off the grid": lambda p: p[13:701, 37:1203],
    "letter-box": letterboxed,
    "part of a screen": on_a_desktop,
    "darker": lambda p: (255 * (p / 255) ** 1.5 * 0.8).astype(np.uint8),
    "brighter": lambda p: np.clip(255 * (p / 255) ** 0.7 + 10, 0, 255).astype(np.uint8),
    "grey": lambda p: np.repeat(cv2.cvtColor(p, cv2.COLOR_BGR2GRAY)[..., None], 3, -1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_found_after(picture: NDArray[np.uint8], change: str) -> None:
    finding = found_in(CHANGES[change](marked(picture)))
    assert finding.found
    assert payload_in(KEY.soft_chips(finding.tile)).payload == PAYLOAD


@pytest.mark.parametrize("change", CHANGES)
def test_not_found_in_what_bears_none(picture: NDArray[np.uint8], change: str) -> None:
    assert not found_in(CHANGES[change](picture)).found


def test_patterns_and_plain_pictures_bear_none() -> None:
    y, x = np.mgrid[0:360, 0:640]
    pictures = [
        np.zeros((360, 640)),
        (x // 8 + y // 8) % 2 * 255,
        127 + 120 * np.sin(x / 3),
        np.random.default_rng(0).uniform(0, 255, x.shape),
    ]
    for plain in pictures:
        assert not found_in(np.repeat(plain[..., None], 3, -1).astype(np.uint8)).found


@pytest.mark.parametrize("size", [(64, 64), (320, 180), (641, 479), (1920, 1080)])
def test_any_size_can_be_marked(size: tuple[int, int]) -> None:
    width, height = size
    pattern = pattern_of(KEY.tile(PAYLOAD), width, height)
    assert pattern.shape == (height, width)
    plain = np.full((height, width, 3), 128, np.uint8)
    assert found_in(marked(plain)).found


def test_fainter_than_can_be_seen(picture: NDArray[np.uint8]) -> None:
    error = np.mean((marked(picture).astype(float) - picture) ** 2)
    assert 10 * np.log10(255**2 / error) >= 42


def test_what_adds_up_is_found_where_one_picture_is_too_little(picture: NDArray[np.uint8]) -> None:
    """Noise that hides it in one picture averages out."""
    random = np.random.default_rng(0)
    noisy = [np.clip(marked(picture) + random.normal(0, 40, picture.shape), 0, 255).astype(np.uint8) for _ in range(16)]
    assert found_in(*noisy).score > found_in(noisy[0]).score + 4


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
def test_badge_lies_in_its_corner(corner: str) -> None:
    picture = np.full((360, 640, 3), 128, np.uint8)
    Badge.of("AI puppet", corner, 640, 360).draw(picture)
    rows, columns = np.nonzero((picture != 128).any(-1))
    assert (rows.max() < 90) == corner.startswith("top")
    assert (columns.max() < 320) == corner.endswith("left")
    assert len(rows) > 300
    assert picture.max() > 200  # the words


@given(st.text("".join(map(chr, range(32, 127))), min_size=1, max_size=40), st.integers(64, 400), st.integers(64, 400))
@settings(max_examples=30, deadline=None)
def test_badge_fits(text: str, width: int, height: int) -> None:
    badge = Badge.of(text, "bottom-right", width, height)
    rows, columns = badge.matte.shape
    assert badge.left >= 0
    assert badge.top >= 0
    assert badge.left + columns <= width
    assert badge.top + rows <= height


def test_every_picture_of_a_scene_is_sealed(bruno: Puppet) -> None:
    """Seen, lost or idle, and what fades from one puppet to the next, which bears the new one's mark."""
    frame = Frame(np.zeros((90, 160, 3), np.uint8), 0, 0.0)
    seal = Seal.of(KEY, 1, 160, 90, None)

    class Counting:
        def __init__(self) -> None:
            self.count = 0

        def set(self, picture: NDArray[np.uint8]) -> None:
            self.count += 1
            seal.set(picture)

    counting = Counting()
    bare, scene = Scene(PortraitView(bruno, 160, 90)), Scene(PortraitView(bruno, 160, 90), seal=counting)
    for index, motion in enumerate([performance(), None, performance({"jawOpen": 0.4})]):
        told = Tracked(Frame(frame.bgr, index, index / 30), None, None, motion)
        a, b = bare(told).frame.bgr, scene(told).frame.bgr
        assert 0 < np.abs(a.astype(int) - b).max() <= 6
    assert scene.idle(5.0) is not None
    assert counting.count == 4
    following = Counting()
    scene.show(PortraitView(bruno, 160, 90), following)
    for index in range(3, 6):
        scene(Tracked(Frame(frame.bgr, index, 6.0 + index / 30), None, None, performance()))
    assert (counting.count, following.count) == (4, 3)


@pytest.fixture(scope="module")
def recording(picture: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 s at 5 a second: the first 10 bare, then marked."""
    path = tmp_path_factory.mktemp("mark") / "call.mp4"
    small, sealed = resized(picture, 640, 360), resized(marked(picture), 640, 360)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(5))
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 640, 360, "yuv420p", 200_000
        for index in range(120):
            shown = sealed if index >= 50 else small
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def test_verify_tells_when_it_is_marked(recording: Path) -> None:
    verdict = read_mark(str(recording), KEY)
    assert verdict.marked
    assert [piece.finding.found for piece in verdict.pieces] == [False, True, True]
    assert verdict.pieces[1].begin_s == pytest.approx(10, abs=0.3)
    assert verdict.heard.payload == PAYLOAD
    assert read_mark(str(recording), OTHER).heard is None


def test_verify_command(recording: Path, tmp_path: Path, picture: NDArray[np.uint8]) -> None:
    runner = CliRunner()
    key = tmp_path / "mark.key"
    key.write_text(KEY.secret.hex())
    answer = runner.invoke(app, ["verify", str(recording), "--json", "--key", str(key)])
    assert answer.exit_code == 0
    told = json.loads(answer.output)
    assert told["marked"]
    assert told["payload"] == {
        "version": 1, "puppet": "1234567", "name": None, "day": "2026-11-26", "corrected_symbols": 0,
    }  # fmt: skip
    assert [piece["marked"] for piece in told["pieces"]] == [False, True, True]
    assert told["credentials"] is None
    told_people = " ".join(runner.invoke(app, ["verify", str(recording), "--key", str(key)]).output.split())
    assert "made by mimicam" in told_people
    assert "marked: 10 to 24 s" in told_people
    assert "puppet 1234567, 2026-11-26" in told_people
    plain = tmp_path / "plain.png"
    cv2.imwrite(str(plain), picture)
    answer = runner.invoke(app, ["verify", str(plain)])
    assert answer.exit_code == 20
    assert "That proves nothing" in " ".join(answer.output.split())


def test_verify_of_what_is_no_video(tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"nothing")
    with pytest.raises(SourceError):
        read_mark(str(bad), KEY)


def test_verify_of_pictures_without_times(picture: NDArray[np.uint8], tmp_path: Path) -> None:
    """A raw stream has none: its pictures follow each other at its rate."""
    path = tmp_path / "raw.h264"
    with av.open(str(path), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for _ in range(30):
            shown = av.VideoFrame.from_ndarray(resized(marked(picture), 640, 360), format="bgr24")
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
    verdict = read_mark(str(path), KEY)
    assert verdict.marked
    assert verdict.pieces[-1].end_s > 1


def test_verify_of_a_stream_that_goes_on(picture: NDArray[np.uint8]) -> None:
    """Looked at for as long as was asked for, while it is still being made."""
    frame = av.VideoFrame.from_ndarray(resized(marked(picture), 640, 360), format="bgr24")

    class Live(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            with suppress(OSError), av.open(self.wfile, "w", format="mpegts") as container:
                stream = container.add_stream("libx264", rate=Fraction(10), options={"tune": "zerolatency"})
                stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 640, 360, "yuv420p", 400_000
                while True:
                    container.mux(stream.encode(frame))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Live) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        verdict = read_mark(f"http://127.0.0.1:{server.server_port}/live", KEY, most_s=12.0)
        server.shutdown()
    assert [piece.finding.found for piece in verdict.pieces] == [True, True]
    assert verdict.pieces[-1].end_s == pytest.approx(12, abs=0.2)
    assert verdict.heard.payload == PAYLOAD


def test_nothing_is_marked_unseen_where_memory_is_not_in_order() -> None:
    for implementation in ("reference", "cpu"):
        with pytest.raises(ValueError, match="C-contiguous"):
            load("embed_mark", implementation)(np.zeros((16, 16, 3), np.uint8)[::-1], np.zeros((16, 16), np.int8))

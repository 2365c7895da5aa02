"""Performance files: what is kept, what is refused, and that a replay is the performance."""

from __future__ import annotations

import io
import json
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import performance
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from engine.capture.nothing import NO_PICTURE
from engine.capture.synthetic import SyntheticCamera
from engine.capture.video_file import VideoFile
from engine.config import RunConfig
from engine.drive.attributes import Attributes
from engine.errors import ConfigError, OutputError, SourceError
from engine.face.performance import Performance
from engine.face.style import Style
from engine.live.frame import Frame
from engine.live.meter import Meter
from engine.live.pipeline import Pipeline
from engine.offline import render
from engine.output.null import NullSink
from engine.output.stage import OutputStage
from engine.perform import record as record_module
from engine.perform.drivers import load_moments, save_moments
from engine.perform.record import record
from engine.perform.recording import MOST_FRAMES, SHAPES, Moment, find_performance, load_performance, save_performance
from engine.perform.replay import Replay
from engine.puppet.format import Puppet
from engine.render.portrait_view import PortraitView
from engine.render.scene import Rendered, Scene
from engine.run import run
from engine.sound.mfcc import RATE_HZ
from engine.sound.source import SyntheticSound
from engine.track.tracker import Tracked, Tracker

SOME = [
    Moment(0.0, performance({"jawOpen": 0.23}, (3, -2, 1))),
    Moment(0.03, None),
    Moment(0.07, performance({"mouthSmileLeft": 0.29, "mouthSmileRight": 0.29}, (0, 4, 0), (0.1, 0, 0), 1.1)),
]


def same(a: Performance | None, b: Performance | None) -> bool:
    if a is None or b is None:
        return a is b
    heads = (a.head.angles_deg, a.head.scale) == (b.head.angles_deg, b.head.scale)
    return heads and np.array_equal(a.head.translation, b.head.translation) and np.array_equal(a.offsets, b.offsets)


@given(st.lists(st.one_of(st.none(), st.floats(-0.375, 0.375)), min_size=1, max_size=8))
@settings(max_examples=20, deadline=None)
def test_what_is_saved_is_loaded(tmp_path_factory: pytest.TempPathFactory, openings: list[float | None]) -> None:
    path = tmp_path_factory.mktemp("take") / "a.performance"
    moments = [
        Moment(0.1 * i, None if o is None else performance({"jawOpen": o}, (o, 2 * o, 3 * o)))
        for i, o in enumerate(openings)
    ]
    save_performance(moments, path)
    found = load_performance(path)
    assert [m.time_s for m in found] == [m.time_s for m in moments]
    assert all(same(a.performance, b.performance) for a, b in zip(found, moments, strict=True))


def test_equal_performances_are_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_performance(SOME, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def rewritten(path: Path, **changes: Any) -> Path:
    """The file with some of its arrays replaced; None leaves one out."""
    with np.load(path) as table:
        arrays = {name: table[name] for name in table.files} | changes
    np.savez(path.open("wb"), **{name: value for name, value in arrays.items() if value is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"offsets": None}, "offsets"),
        ({"seen": np.zeros(2, bool)}, "seen is bool"),
        ({"offsets": np.zeros((3, 478, 3))}, "offsets is float64"),
        ({"time_s": np.array([0.0, 0.2, 0.1])}, "times don't increase"),
        ({"time_s": np.array([0.0, np.nan, 0.1])}, "times don't increase"),
        ({"header": np.frombuffer(b"not json", np.uint8)}, "Expecting value"),
        ({"header": np.frombuffer(b'{"format": "song"}', np.uint8)}, "another format"),
        ({name: np.zeros((0, *shape), dtype) for name, (shape, dtype) in SHAPES.items()}, "no frames"),
    ],
)  # fmt: skip
def test_a_file_that_makes_no_sense_says_why(tmp_path: Path, changes: dict[str, Any], found: str) -> None:
    save_performance(SOME, tmp_path / "a.performance")
    with pytest.raises(SourceError, match=found):
        load_performance(rewritten(tmp_path / "a.performance", **changes))


def test_a_newer_version_asks_for_an_update(tmp_path: Path) -> None:
    save_performance(SOME, tmp_path / "a.performance")
    header = json.dumps({"format": "mimicam performance", "version": 3}).encode()
    with pytest.raises(SourceError, match=r"version 3.*Update mimicam"):
        load_performance(rewritten(tmp_path / "a.performance", header=np.frombuffer(header, np.uint8)))


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    save_performance(SOME, tmp_path / "a.performance")
    with pytest.raises(SourceError, match="pickle"):
        load_performance(rewritten(tmp_path / "a.performance", scale=np.array([object()] * 3)))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    save_performance(SOME, tmp_path / "a.performance")
    path = tmp_path / "a.performance"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = io.BytesIO()
    np.save(content, np.zeros((MOST_FRAMES * 3, 3)))
    members["angles_deg.npy"] = content.getvalue()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(SourceError, match="longer than"):
        load_performance(path)


@given(st.integers(0, 4000), st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_a_damaged_file_is_an_error_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, place: int, flip: int
) -> None:
    path = tmp_path_factory.mktemp("bad") / "a.performance"
    save_performance(SOME[:1], path)
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= flip
    path.write_bytes(data)
    try:
        load_performance(path)  # a flipped bit in a time stamp of the zip harms nothing
    except SourceError as error:
        assert "performance" in str(error)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder that exists"):
        save_performance(SOME, tmp_path / "none" / "a.performance")


def test_what_was_recorded_is_kept_when_the_camera_fails(tmp_path: Path, demo_frames: list[np.ndarray]) -> None:
    path, tracker = tmp_path / "a.performance", Tracker()
    tracker.warm_up(demo_frames[0])
    with pytest.raises(SourceError, match="script's 'fail'"):
        record(SyntheticCamera("ok*6 fail", demo_frames, 10.0), tracker, path, None)
    moments = load_performance(path)
    assert 1 <= len(moments) <= 6
    assert any(moment.performance is not None for moment in moments)


def test_a_recording_ends_when_a_file_is_full(
    tmp_path: Path, demo_frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_module, "MOST_FRAMES", 3)
    path, tracker = tmp_path / "a.performance", Tracker()
    tracker.warm_up(demo_frames[0])
    assert len(record(SyntheticCamera("ok*100000", demo_frames, 30.0), tracker, path, None)) == 3
    assert len(load_performance(path)) == 3


def test_what_was_recorded_is_kept_when_closing_fails(tmp_path: Path, demo_frames: list[np.ndarray]) -> None:
    class Stubborn(Tracker):
        def close(self) -> None:
            raise RuntimeError("on purpose")

    path = tmp_path / "a.performance"
    with pytest.raises(RuntimeError, match="on purpose"):
        record(SyntheticCamera("ok*3", demo_frames, 10.0), Stubborn(), path, None)
    assert load_performance(path)


class Looking:
    """A scene that keeps what it was asked for and what it drew."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.seen: list[tuple[Tracked, np.ndarray]] = []

    def __call__(self, tracked: Tracked) -> Rendered:
        rendered = self._scene(tracked)
        self.seen.append((tracked, rendered.frame.bgr))
        return rendered

    def idle(self, now_s: float) -> None:
        return None


def test_a_live_replay_does_the_recorded_performance(tmp_path: Path, bruno: Puppet) -> None:
    moments = [Moment(i / 40, performance({"jawOpen": 0.046 * i}, (i, 0, 0))) for i in range(10)]
    save_performance(moments, tmp_path / "a.performance")
    replay, scene = Replay(tmp_path / "a.performance"), Looking(Scene(PortraitView(bruno, 160, 90)))
    Pipeline(replay, replay.track, scene, OutputStage([NullSink()], 40.0), Meter()).run(20)
    fresh = Scene(PortraitView(bruno, 160, 90))
    assert scene.seen
    for tracked, picture in scene.seen:
        wanted = moments[tracked.frame.index].performance
        assert same(tracked.performance, wanted)
        assert wanted is not None
        assert np.array_equal(fresh.draw(wanted), picture)


def test_a_loop_goes_on_after_the_end(tmp_path: Path) -> None:
    save_performance([Moment(0.0, None), Moment(0.002, None)], tmp_path / "a.performance")
    replay = Replay(tmp_path / "a.performance", loop=True)
    frames = [replay.read() for _ in range(7)]
    assert [frame.index for frame in frames if frame is not None] == list(range(7))
    times = [frame.captured_s for frame in frames if frame is not None]
    assert times == sorted(times)
    assert times[-1] - times[0] >= 0.011


def test_rendering_a_performance_twice_gives_the_same_file(tmp_path: Path) -> None:
    save_performance(SOME, tmp_path / "a.performance")
    for name in ("one.mp4", "two.mp4"):
        settings = RunConfig(puppet="bruno", size=(160, 90), runtime="none")
        done, lost = render(tmp_path / "a.performance", tmp_path / name, settings)
        assert (done, lost) == (3, 1)
    pictures = [[f.bgr for f in VideoFile(tmp_path / name)] for name in ("one.mp4", "two.mp4")]
    assert len(pictures[0]) == 3
    assert all(np.array_equal(a, b) for a, b in zip(*pictures, strict=True))


def test_a_rendering_has_the_style_that_a_live_run_has(tmp_path: Path) -> None:
    settings = RunConfig(puppet="bruno", size=(160, 90), runtime="none", attributes={"smile": 0.5}, mirror=True)
    act, mirrored = Attributes({"smile": 0.5}), Style(mirrored=True)
    edited = [
        act(Tracked(Frame(NO_PICTURE, i, m.time_s), None, None, m.performance)).performance for i, m in enumerate(SOME)
    ]
    shown = [None if p is None else mirrored(p) for p in edited]
    save_performance(SOME, tmp_path / "plain.performance")
    save_performance([Moment(m.time_s, p) for m, p in zip(SOME, shown, strict=True)], tmp_path / "done.performance")
    render(tmp_path / "plain.performance", tmp_path / "styled.mp4", settings)
    plain = settings.model_copy(update={"attributes": {}, "mirror": False})
    for name in ("plain", "done"):
        render(tmp_path / f"{name}.performance", tmp_path / f"{name}.mp4", plain)
    styled, unstyled, wanted = (
        [f.bgr for f in VideoFile(tmp_path / f"{name}.mp4")] for name in ("styled", "plain", "done")
    )
    assert all(np.array_equal(a, b) for a, b in zip(styled, wanted, strict=True))
    assert not np.array_equal(styled[0], unstyled[0])


def test_a_performance_can_stand_where_a_camera_is_named(tmp_path: Path) -> None:
    save_performance([Moment(0.02 * i, m.performance) for i, m in enumerate(SOME)], tmp_path / "a.performance")
    settings = RunConfig(
        camera=str(tmp_path / "a.performance"), puppet="bruno", size=(160, 90), runtime="none", output=("null",),
        report=tmp_path / "report.json",
    )  # fmt: skip
    run(settings, Console(quiet=True))
    counts = json.loads((tmp_path / "report.json").read_text())["frames"]
    assert counts["captured"] == len(SOME)


@pytest.mark.parametrize("name", ["hello", "talk", "look"])
def test_shipped_performances_are_whole_and_end_at_rest(name: str) -> None:
    moments = load_performance(find_performance(name))
    performances = [m.performance for m in moments if m.performance is not None]
    assert len(performances) == len(moments) > 60
    assert all(p.plausible for p in performances)
    assert np.abs(performances[-1].offsets).max() < 1e-6
    assert max(np.abs(p.offsets).max() for p in performances) > 0.02


def test_a_name_that_is_not_shipped_is_a_path(tmp_path: Path) -> None:
    assert find_performance(str(tmp_path / "mine.performance")) == tmp_path / "mine.performance"


def test_a_place_that_cannot_be_written_is_said_before_anything_is_recorded(tmp_path: Path) -> None:
    camera = SyntheticCamera("fail", [])
    with pytest.raises(OutputError, match="folder that exists"):
        record(camera, Tracker(), tmp_path / "none" / "a.performance", None)


def test_a_performance_goes_to_a_phones_csv_and_back(tmp_path: Path) -> None:
    moments = [Moment(i / 60, None if i == 3 else performance({"jawOpen": 0.1 * i}, (i, -i, 0))) for i in range(8)]
    save_moments(moments, tmp_path / "take.csv")
    save_moments(load_moments(tmp_path / "take.csv"), tmp_path / "take.performance")
    found = load_moments(tmp_path / "take.performance")
    assert [m.performance is None for m in found] == [m.performance is None for m in moments]
    for before, after in zip(moments, found, strict=True):
        assert after.time_s == pytest.approx(before.time_s, abs=1e-3)
        if before.performance is not None and after.performance is not None:
            assert after.performance.head.angles_deg == pytest.approx(before.performance.head.angles_deg, abs=0.01)
            assert np.abs(after.performance.offsets - before.performance.offsets).max() < 0.03  # what a fit leaves


def test_speech_becomes_a_performance_whose_mouth_moves(tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    source = SyntheticSound("hush*20 a*40 hush*20 a*40", began_s=0.0)
    samples = np.concatenate([block.samples for block in iter(source.read, None)])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((samples * 32000).astype(np.int16).tobytes())
    moments = load_moments(path)
    assert len(moments) == pytest.approx(len(samples) / RATE_HZ * 30, abs=2)
    chins = [m.performance.offsets[152, 1] for m in moments if m.performance is not None]
    assert len(chins) == len(moments)
    assert max(chins) > 0.05
    assert min(chins) < 0.01


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Give a \.performance or \.csv file"):
        load_moments(tmp_path / "a.txt")
    with pytest.raises(ConfigError, match=r"Name it \.csv"):
        save_moments(SOME, tmp_path / "a.bvh")


def test_a_file_of_version_1_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "a.performance"
    save_performance(SOME, path)
    header = json.dumps({"format": "mimicam performance", "version": 1}).encode()
    found = load_performance(rewritten(path, header=np.frombuffer(header, np.uint8), rest_deg=None))
    assert all(same(a.performance, b.performance) for a, b in zip(found, SOME, strict=True))

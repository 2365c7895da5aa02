"""Puppets made from clips: what is kept of a clip, what is refused, and what damaged files say."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.errors import PuppetError
from engine.face import landmarks as lm
from engine.live.frame import Frame
from engine.names import Play
from engine.output.video_file import VideoFileSink
from engine.puppet import make_clip
from engine.puppet.clip import Analysis, frame_at
from engine.puppet.consent import Consent
from engine.puppet.format import Puppet, load_puppet, save_puppet
from engine.puppet.make import SHUT_OPENING
from engine.puppet.make_clip import Found, is_clip, longest_stretch, make_clip_puppet

CONSENT = Consent(kind="synthetic", who="nobody: a generated face", date=dt.date(2026, 11, 25), scope="tests")
Pictures = list[NDArray[np.uint8]]


def written(path: Path, pictures: Pictures, rate_hz: float = 30.0) -> Path:
    sink = VideoFileSink(path, rate_hz, wait=True)
    for index, picture in enumerate(pictures):
        sink.send(Frame(np.ascontiguousarray(picture), index, index / rate_hz))
    sink.close()
    return path


def made(path: Path, pictures: Pictures) -> Found:
    return make_clip_puppet(written(path, pictures), "dora", CONSENT)


def test_a_clip_comes_back_from_its_file_as_it_was(clip_puppet: Puppet, tmp_path: Path) -> None:
    save_puppet(clip_puppet, tmp_path / "dora.puppet")
    again = load_puppet(tmp_path / "dora.puppet")
    assert clip_puppet.clip is not None
    assert again.clip is not None
    assert again.clip.jpegs == clip_puppet.clip.jpegs
    assert again.clip.rate_hz == clip_puppet.clip.rate_hz
    assert again.clip.analysis.to_bytes() == clip_puppet.clip.analysis.to_bytes()


def test_one_person_is_not_taken_for_two(demo_frames: Pictures, tmp_path: Path) -> None:
    """The detector finds a second face in the hair of this one."""
    assert made(tmp_path / "one.mp4", demo_frames).others == 0


def test_references_of_a_clip_have_open_eyes_and_begin_with_the_calmest(clip_puppet: Puppet) -> None:
    assert clip_puppet.clip is not None
    unrest = np.abs(clip_puppet.clip.analysis.offsets).mean((1, 2))
    first = next(
        i
        for i, points in enumerate(clip_puppet.clip.analysis.landmarks_px)
        if np.array_equal(points, clip_puppet.references[0].landmarks_px)
    )
    assert unrest[first] <= np.median(unrest)
    points = clip_puppet.clip.analysis.landmarks_px.copy()
    for pairs in (lm.LID_PAIRS_LEFT, lm.LID_PAIRS_RIGHT):
        points[first, pairs[:, 0]] = points[first, pairs[:, 1]]
    blinking = replace(clip_puppet.clip, analysis=replace(clip_puppet.clip.analysis, landmarks_px=points))
    assert all(min(lm.lid_openings(r.landmarks_px)) >= SHUT_OPENING for r in make_clip._references(blinking))


def test_a_clip_with_a_cut_keeps_its_longer_part(demo_frames: Pictures, bruno: Puppet, tmp_path: Path) -> None:
    other = np.full_like(demo_frames[0], 255)
    photo = bruno.references[0].picture[: other.shape[0], : other.shape[1]]
    other[: photo.shape[0], : photo.shape[1]] = photo
    found = made(tmp_path / "cut.mp4", demo_frames[:20] + [other] * 8 + demo_frames[20:60])
    assert found.puppet.clip is not None
    assert (found.first, found.left_out, len(found.puppet.clip)) == (28, 28, 40)


def test_a_clip_that_is_too_much_for_a_puppet_says_where_it_was_cut(
    demo_frames: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make_clip, "MOST_FRAMES", 35)
    found = made(tmp_path / "clip.mp4", demo_frames[:40])
    assert found.puppet.clip is not None
    assert (len(found.puppet.clip), found.ended) == (35, "a puppet holds no more")


def test_a_face_that_leaves_the_picture_ends_the_stretch(demo_frames: Pictures, tmp_path: Path) -> None:
    away = np.full_like(demo_frames[0], demo_frames[0].mean())
    found = made(tmp_path / "away.mp4", demo_frames[:38] + [away] * 10 + demo_frames[48:60])
    assert found.puppet.clip is not None
    assert found.first == 0
    assert 36 <= len(found.puppet.clip) <= 39  # FaceMesh may hold on for a frame


def test_of_two_people_the_larger_acts_and_the_other_is_told(demo_frames: Pictures, tmp_path: Path) -> None:
    height, width = demo_frames[0].shape[:2]
    both = []
    for frame in demo_frames[:40]:
        picture = np.concatenate([frame, frame[:, ::-1]], axis=1)
        picture[:, width:] = picture[0, width]
        small = frame[::1, width // 4 : width // 4 + width // 2][: height * 3 // 4]
        picture[: small.shape[0], width : width + small.shape[1]] = small
        both.append(picture)
    found = made(tmp_path / "two.mp4", both)
    assert found.puppet.clip is not None
    assert len(found.puppet.clip) == 40
    assert found.others == 4  # of the frames that were looked through, every tenth
    middles = found.puppet.clip.analysis.landmarks_px[:, :, 0].mean(1)
    assert np.ptp(middles) < 0.2 * width  # one of them all along


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ([np.zeros((180, 320, 3), np.uint8)] * 40, "a face for 1 s without a cut.*0.0 s"),
        ("short", "a face for 1 s without a cut.*0.[345] s"),
        ("small", "at least 64 px wide"),
    ],
)
def test_clips_that_cannot_be_used_say_why(
    pictures: Pictures | str, message: str, demo_frames: Pictures, tmp_path: Path
) -> None:
    if pictures == "short":
        pictures = demo_frames[:12]
    if pictures == "small":
        pictures = [np.ascontiguousarray(frame[::3, ::3]) for frame in demo_frames[:40]]
    with pytest.raises(PuppetError, match=message):
        made(tmp_path / "bad.mp4", list(pictures))  # type: ignore[arg-type]


def test_a_file_that_is_no_video_is_no_clip(tmp_path: Path, demo_frames: Pictures) -> None:
    (tmp_path / "text.mp4").write_bytes(b"no video")
    assert not is_clip(tmp_path / "text.mp4")
    assert not is_clip(tmp_path / "none.mp4")
    assert is_clip(written(tmp_path / "clip.mp4", demo_frames[:3]))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_the_longest_stretch_is_the_longest(frames: list[tuple[bool, bool]]) -> None:
    present, cuts = [f[0] for f in frames], [f[1] for f in frames]

    def unbroken(first: int, last: int) -> bool:
        return all(present[first:last]) and not any(cuts[first + 1 : last])

    first, last = longest_stretch(present, cuts)
    assert unbroken(first, last)
    spans = [b - a for a in range(len(frames)) for b in range(a + 1, len(frames) + 1) if unbroken(a, b)]
    assert last - first == max(spans, default=0)


PLAYS: list[Play] = ["loop", "pingpong", "hold"]


@given(st.integers(1, 50), st.floats(0, 1e4), st.floats(1, 120), st.sampled_from(PLAYS))
def test_every_time_has_its_frame(frames: int, seconds: float, rate_hz: float, play: Play) -> None:
    assert 0 <= frame_at(seconds, rate_hz, frames, play) < frames


@pytest.mark.parametrize(("play", "shown"), [("loop", "0120120"), ("pingpong", "0121012"), ("hold", "0122222")])
def test_what_a_clip_does_at_its_end(play: Play, shown: str) -> None:
    assert "".join(str(frame_at(i / 25, 25, 3, play)) for i in range(7)) == shown


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"offsets": np.zeros((2, 478, 3), np.float32)}, "'offsets'.* numbers below"),
        ({"neutral": np.full((478, 3), np.nan, np.float32)}, "'neutral'.* numbers below"),
        ({"mouths": np.array([9999], np.int32)}, "'mouths'.*doesn't name frames"),
        ({"eyes": np.array([], np.int32)}, "'eyes'.*doesn't name frames"),
        ({"lights": np.zeros((40, 9), np.float64)}, "'lights'.* numbers below"),
    ],
)
def test_an_analysis_that_does_not_fit_is_refused(
    change: dict[str, NDArray[np.generic]], message: str, clip_puppet: Puppet, tmp_path: Path
) -> None:
    assert clip_puppet.clip is not None
    changed = replace(clip_puppet.clip.analysis, **change)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        Analysis.from_bytes(changed.to_bytes(), len(clip_puppet.clip))
    save_puppet(replace(clip_puppet, clip=replace(clip_puppet.clip, analysis=changed)), tmp_path / "bad.puppet")
    with pytest.raises(PuppetError, match=message):
        load_puppet(tmp_path / "bad.puppet")


@given(st.binary(max_size=200))
def test_an_analysis_of_any_bytes_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="analysis"):
        Analysis.from_bytes(content, 3)

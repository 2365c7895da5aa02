"""What acts on a performance: other programs' samples, expressions on call, sound, style."""

from __future__ import annotations

import socket
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import performance
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.capture.nothing import NO_PICTURE
from engine.config import read_config
from engine.drive.called import Called, with_expression
from engine.drive.samples import SampleTracker, performance_of, sample_of
from engine.drive.sound_mouth import EASE_S, SoundMouth
from engine.drive.telling import Telling
from engine.drive.triggers import PRESETS, Trigger, Triggers
from engine.errors import ConfigError
from engine.face import arkit
from engine.face.model import face_model
from engine.face.performance import HeadMotion, Performance
from engine.face.ranges import BLINKS, Ranges
from engine.face.style import Style, mirror
from engine.live.frame import Frame
from engine.protocols.receive import SampleFrame
from engine.protocols.sample import Sample
from engine.protocols.send import Broadcast
from engine.protocols.table import PROTOCOLS, Endpoint
from engine.track.tracker import Tracked

SMILE = {"mouthSmileLeft": 0.6, "mouthSmileRight": 0.6}
COEFFICIENTS = st.lists(st.floats(0, 1, width=32), min_size=arkit.COUNT, max_size=arkit.COUNT)


def tracked(shown: Performance | None, at_s: float = 0.0) -> Tracked:
    return Tracked(Frame(NO_PICTURE, 0, at_s), None, None, shown)


def sent(sample: Sample, at_s: float = 0.0) -> SampleFrame:
    return SampleFrame(NO_PICTURE, 0, at_s, sample)


def similar(a: Performance, b: Performance, offsets: float = 1e-5) -> bool:
    heads = np.allclose(a.head.angles_deg, b.head.angles_deg, atol=1e-4) and np.allclose(
        a.head.translation, b.head.translation, atol=1e-5
    )
    return (
        heads
        and a.head.scale == pytest.approx(b.head.scale, abs=1e-5)
        and np.allclose(a.offsets, b.offsets, atol=offsets)
    )


@given(COEFFICIENTS, st.tuples(*[st.floats(-40, 40)] * 3), st.floats(0.7, 1.5))
@settings(max_examples=30, deadline=None)
def test_a_sample_is_the_performance_that_it_was_made_of(
    amounts: list[float], angles: tuple[float, float, float], scale: float
) -> None:
    told = np.array(amounts, np.float32)
    head = HeadMotion(angles, np.array([0.1, -0.2, 0], np.float32), scale)
    shown = Performance(head, face_model().offsets(told))
    back = performance_of(sample_of(shown, told), Sample(np.zeros(arkit.COUNT, np.float32)))
    assert back is not None
    assert similar(back, shown)


def test_the_first_pose_of_another_program_is_rest_and_can_be_taken_anew() -> None:
    track = SampleTracker()
    turned = Sample(arkit.coefficients(SMILE), (20.0, -5.0, 3.0), np.array([0.4, 0, 9], np.float32))
    first = track(sent(turned)).performance
    assert first is not None
    assert first.head.angles_deg == (0, 0, 0)
    assert first.head.scale == 1
    straight = track(sent(Sample(arkit.coefficients({})))).performance
    assert straight is not None
    assert straight.head.angles_deg == (-20, 5, -3)
    track.recapture()
    again = track(sent(Sample(arkit.coefficients({})))).performance
    assert again is not None
    assert again.head.angles_deg == (0, 0, 0)


def test_a_lost_sample_is_a_lost_performer() -> None:
    track = SampleTracker()
    assert track(sent(Sample(arkit.coefficients({}), seen=False))).lost
    assert not track(sent(Sample(arkit.coefficients({})))).lost
    assert track(sent(Sample(arkit.coefficients({}), seen=False))).lost
    assert not sample_of(None).seen


def test_a_called_expression_comes_on_top_and_goes_without_a_trace() -> None:
    triggers = Triggers([Trigger("smile", PRESETS["smile"], 0.1, 0.1)])
    act, talking = Called(triggers), performance({"jawOpen": 0.4}, (5, 0, 0))
    assert act(tracked(talking, 0.0)).performance is talking
    triggers.press("smile")
    shown = [act(tracked(talking, t / 30)).performance for t in range(1, 12)][-1]
    assert shown is not None
    assert shown.head is talking.head
    assert face_model().coefficients(shown.offsets)[arkit.INDEX["mouthSmileLeft"]] > 0.5
    triggers.release("smile")
    after = [act(tracked(talking, 1 + t / 30)).performance for t in range(12)][-1]
    assert after is talking
    assert act(tracked(None, 2.0)).lost


@given(COEFFICIENTS)
@settings(max_examples=20, deadline=None)
def test_expressions_never_go_beyond_one(amounts: list[float]) -> None:
    called = np.array(amounts, np.float32)
    shown = with_expression(tracked(None), performance(SMILE), called)
    assert shown.coefficients is not None
    assert shown.coefficients.max() <= 1
    assert shown.coefficients.min() >= 0


def largest_step_deg(shown: list[Performance | None]) -> float:
    yaws = [p.head.angles_deg[0] for p in shown if p is not None]
    return max(abs(b - a) for a, b in pairwise(yaws))


def test_sound_takes_the_mouth_of_a_lost_face_and_gives_it_back() -> None:
    said = arkit.coefficients({"jawOpen": 0.5})
    act, turned = SoundMouth(lambda time_s: said), performance({"browInnerUp": 0.8}, (15, 0, 0))
    assert act(tracked(turned, 0.0)).performance is turned
    lost = [act(tracked(None, t / 30)).performance for t in range(1, 31)]
    assert all(p is not None for p in lost)
    jaws = [float(p.offsets[152, 1]) for p in lost if p is not None]
    assert jaws == sorted(jaws)
    assert jaws[-1] == pytest.approx(float(face_model().offsets(said)[152, 1]), rel=0.01)
    assert lost[-1] is not None
    assert lost[-1].head.angles_deg == (0, 0, 0)
    back = [act(tracked(turned, 1 + t / 30)).performance for t in range(1, 20)]
    assert back[-1] is turned
    assert largest_step_deg([turned, *lost, *back]) < 15 * 1.5 / 30 / EASE_S + 0.1  # smoothstep's steepest


def test_one_lost_frame_does_not_move_the_head_of_a_covered_mouth() -> None:
    said = arkit.coefficients({"jawOpen": 0.5})
    act, turned = SoundMouth(lambda time_s: said, always=True), performance({}, (20, 0, 0))
    shown = [act(tracked(None if t == 20 else turned, t / 30)).performance for t in range(40)]
    assert largest_step_deg(shown) < 0.5


def test_who_left_long_ago_does_not_turn_the_head_when_speech_begins_again() -> None:
    said = arkit.coefficients({"jawOpen": 0.5})
    act, turned = SoundMouth(lambda time_s: said if time_s > 4 else None), performance({}, (20, 0, 0))
    act(tracked(turned, 0.0))
    for t in range(1, 120):
        assert act(tracked(None, t / 30)).lost
    shown = [act(tracked(None, 4.01 + t / 30)).performance for t in range(20)]
    assert max(abs(p.head.angles_deg[0]) for p in shown if p is not None) < 0.01


def test_silence_leaves_a_lost_performer_lost() -> None:
    act = SoundMouth(lambda time_s: None)
    assert all(act(tracked(None, t / 30)).lost for t in range(5))


def test_without_a_camera_silence_is_rest() -> None:
    said = arkit.coefficients({"jawOpen": 0.5})
    heard = iter([None, said, None])
    act = SoundMouth(lambda time_s: next(heard), alone=True)
    shown = [act(tracked(None, t / 30)).performance for t in range(3)]
    assert [p is not None and bool(p.offsets.any()) for p in shown] == [False, True, False]


def test_sound_can_always_have_the_mouth_and_nothing_else() -> None:
    said = arkit.coefficients({"jawOpen": 0.5})
    act, raised = SoundMouth(lambda time_s: said, always=True), performance({"browInnerUp": 0.8}, (15, 0, 0))
    shown = [act(tracked(raised, t / 30)).performance for t in range(20)][-1]
    assert shown is not None
    assert shown.head.angles_deg == raised.head.angles_deg
    assert float(shown.offsets[14, 1]) > 0.8 * float(face_model().offsets(said)[14, 1])
    assert np.allclose(shown.offsets[105], raised.offsets[105], atol=0.01)


@given(COEFFICIENTS, st.tuples(*[st.floats(-40, 40)] * 3))
@settings(max_examples=20, deadline=None)
def test_mirroring_twice_is_the_same(amounts: list[float], angles: tuple[float, float, float]) -> None:
    shown = Performance(
        HeadMotion(angles, np.ones(3, np.float32), 1.1), face_model().offsets(np.array(amounts, np.float32))
    )
    assert similar(mirror(mirror(shown)), shown)
    swapped = face_model().offsets(np.array(amounts, np.float32)[arkit.MIRROR])
    assert np.allclose(mirror(shown).offsets, swapped, atol=2e-3)  # shapes are stored in half precision


def test_strength_scales_its_region_and_leaves_the_others() -> None:
    shown = performance({"jawOpen": 0.5, "browInnerUp": 0.7, "eyeLookInLeft": 0.5}, (10, 4, 0))
    still = Style(head=0, mouth=0, gaze=0)(shown)
    assert still.head.angles_deg == (0, 0, 0)
    assert np.abs(still.offsets[[13, 14]]).max() < 0.2 * np.abs(shown.offsets[[13, 14]]).max()
    assert np.allclose(still.offsets[[105, 334]], shown.offsets[[105, 334]], atol=0.003)
    assert not still.offsets[468:].any()
    assert max(map(abs, Style(limit_deg=5)(performance({}, (30, -30, 30))).head.angles_deg)) <= 5
    assert Style()(shown) is shown


def test_ranges_grow_with_what_is_seen_and_forgive_one_wild_frame() -> None:
    ranges, pucker = Ranges(), arkit.INDEX["mouthPucker"]
    before = float(ranges.most[pucker])
    ranges.learn(arkit.coefficients({"mouthPucker": 1.0}))
    assert before < ranges.most[pucker] < before + 0.5 * (1 - before)
    for _ in range(40):
        ranges.learn(arkit.coefficients({"mouthPucker": 0.9}))
    assert ranges.most[pucker] == pytest.approx(0.9, abs=0.02)
    assert ranges.share(arkit.coefficients({"mouthPucker": 0.9}))[pucker] == pytest.approx(1, abs=0.03)


def test_blinks_that_look_half_shut_become_whole_ones() -> None:
    ranges = Ranges()
    for blink in range(40):
        for amount in (0.1, 0.5, 0.1 + 0.001 * blink):
            ranges.learn(arkit.coefficients({"eyeBlinkLeft": amount, "eyeBlinkRight": amount}))
    assert ranges.share(arkit.coefficients({"eyeBlinkLeft": 0.5, "eyeBlinkRight": 0.5}))[BLINKS].min() > 0.95


def test_lids_that_are_lowered_are_no_blinks() -> None:
    ranges, random = Ranges(), np.random.default_rng(0)
    before = ranges.most[BLINKS].copy()
    for amount in 0.30 + 0.01 * random.normal(size=150):
        ranges.learn(arkit.coefficients({"eyeBlinkLeft": float(amount), "eyeBlinkRight": float(amount)}))
    ranges.learn(arkit.coefficients({}))
    assert np.array_equal(ranges.most[BLINKS], before)


def test_another_sender_has_a_rest_of_its_own() -> None:
    track = SampleTracker()
    poses = [(0, (5.0, 0.0, 0.0)), (0, (9.0, 0.0, 0.0)), (1, (30.0, 0.0, 0.0)), (1, (31.0, 0.0, 0.0))]
    turned = []
    for sender, angles in poses:
        sent = Sample(np.zeros(arkit.COUNT), angles, np.zeros(3, np.float32))
        shown = track(SampleFrame(NO_PICTURE, 0, 0.0, sent, sender)).performance
        assert shown is not None
        turned.append(shown.head.angles_deg[0])
    assert turned == [0.0, 4.0, 0.0, 1.0]


def test_a_called_closed_mouth_takes_back_an_open_jaw() -> None:
    opened = performance({"jawOpen": 0.5})
    before = Tracked(Frame(NO_PICTURE, 0, 0.0), None, None, opened, arkit.coefficients({"jawOpen": 0.5}))
    shut = with_expression(before, opened, arkit.coefficients({"mouthClose": 0.5})).performance
    assert shut is not None
    wanted = face_model().offsets(arkit.coefficients({"jawOpen": 0.5, "mouthClose": 0.5}))
    assert np.allclose(shut.offsets, wanted, atol=1e-5)


def test_what_is_told_is_what_is_performed() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        spoken = PROTOCOLS["livelink"]
        broadcast = Broadcast(Endpoint(spoken, "127.0.0.1", receiver.getsockname()[1]))
        telling = Telling([broadcast])
        shown = tracked(performance(SMILE, (12, -3, 2)))
        assert telling(shown) is shown
        heard = spoken.decoder().decode(receiver.recv(65535))
        broadcast.close()
    assert heard is not None
    assert heard.angles_deg == pytest.approx((12, -3, 2), abs=0.01)
    smile = heard.coefficients[[arkit.INDEX["mouthSmileLeft"], arkit.INDEX["mouthSmileRight"]]]
    assert smile == pytest.approx(0.6, abs=0.08)  # the fit is regularised


def test_settings_of_expressions_and_style_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text('[style]\nmouth = 1.3\n[expressions.keys]\nenabled = true\nbound = { a = "smile" }\n')
    found = read_config(path, {"style": {"brows": "0.5"}})
    assert (found.style.mouth, found.style.brows) == (1.3, 0.5)
    assert set(found.expressions.key_actions(found.expressions.triggers())) == {"a"}
    path.write_text("[style]\nnose = 1\n")
    with pytest.raises(ConfigError, match=r"'style.nose'.*brows"):
        read_config(path, {})
    path.write_text("[expressions.keys]\nenabled = true\nbound = { a = { expression = { jawOpn = 1.0 } } }\n")
    with pytest.raises(ConfigError, match="jawOpen"):
        read_config(path, {})

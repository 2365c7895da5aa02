"""Mailbox, pacer and pipeline: threads and time."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import performance
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import config as config_module
from engine.capture.synthetic import SyntheticCamera
from engine.config import RunConfig
from engine.errors import OutputError, SourceError, StageError
from engine.face.performance import Performance
from engine.face.safety import PuppetState
from engine.live import pipeline as pipeline_module
from engine.live.frame import Frame
from engine.live.mailbox import Mailbox
from engine.live.meter import Meter
from engine.live.pacer import Pacer
from engine.live.pipeline import Pipeline
from engine.names import DeviceName
from engine.output.null import NullSink
from engine.output.stage import OutputStage
from engine.puppet.format import Puppet
from engine.render.portrait_view import PortraitView
from engine.render.scene import Rendered, Scene
from engine.track.tracker import Tracked


@given(st.integers(1, 300))
@settings(max_examples=20, deadline=None)
def test_mailbox_between_threads_keeps_order_and_loses_nothing_uncounted(count: int) -> None:
    mailbox: Mailbox[int] = Mailbox()

    def produce() -> None:
        for number in range(count):
            mailbox.put(number)
        mailbox.close()

    producer = threading.Thread(target=produce)
    producer.start()
    taken = []
    while (number := mailbox.take()) is not None:
        taken.append(number)
    producer.join()
    assert taken == sorted(set(taken))
    assert taken[-1] == count - 1
    assert len(taken) + mailbox.overwritten == count
    assert mailbox.done


def test_closed_mailbox_gives_what_is_left_and_takes_nothing() -> None:
    mailbox: Mailbox[str] = Mailbox()
    mailbox.put("last")
    mailbox.close()
    assert not mailbox.put("too late")
    assert not mailbox.done
    assert mailbox.take() == "last"
    assert mailbox.take() is None
    assert mailbox.done


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=50))
def test_pacer_keeps_its_timetable_and_never_bursts(delays: list[float]) -> None:
    pacer, now, begin = Pacer(30.0), 100.0, 100.0
    for ticks, delay in enumerate(delays, start=1):
        now += pacer.remaining_s(now)
        now += delay
        pacer.tick(now)
        assert pacer.remaining_s(now) > 0  # what was missed is dropped: the next tick is never due at once
        on_grid = (now + pacer.remaining_s(now) - begin) / pacer.period_s
        assert on_grid == pytest.approx(round(on_grid), abs=1e-6)
        assert round(on_grid) == ticks + pacer.late


class Plain:
    """A render stage that shows the frame itself, and has nothing to show while none comes."""

    def __call__(self, tracked: Frame) -> Rendered:
        return Rendered(tracked, PuppetState.LIVE)

    def idle(self, now_s: float) -> Rendered | None:
        return None


def run(
    script: str,
    track: Any = lambda f: f,
    render: Any = None,
    sinks: Any = None,
    rate_hz: float | None = None,
    *,
    in_turn: bool = False,
) -> tuple[Meter, Pipeline]:
    meter = Meter()
    camera = SyntheticCamera(script, [np.zeros((8, 8, 3), np.uint8)], rate_hz)
    output = OutputStage(sinks if sinks is not None else [NullSink()], 30.0)
    pipeline = Pipeline(camera, track, render or Plain(), output, meter, in_turn=in_turn)
    pipeline.run(20.0)
    return meter, pipeline


@pytest.mark.parametrize("in_turn", [False, True])
def test_every_frame_is_sent_or_counted_as_skipped(in_turn: bool) -> None:
    meter, pipeline = run("ok*300", in_turn=in_turn)
    assert meter.counted("captured") == 300
    assert meter.counted("sent") + pipeline.skipped() == 300
    assert meter.counted("out_of_order") == 0
    assert meter.counted("sent") >= 1


def test_the_last_frame_reaches_the_output_at_the_end_of_a_file() -> None:
    seen: list[int] = []

    class Remember(NullSink):
        def send(self, frame: Frame) -> None:
            seen.append(frame.index)

    run("ok*50", sinks=[Remember()])
    assert seen[-1] == 49
    assert seen == sorted(set(seen))


class Watched(Plain):
    """Stages that note whether a frame is tracked while another one is drawn."""

    def __init__(self) -> None:
        self.overtaken = False
        self._another = threading.Event()

    def track(self, frame: Frame) -> Frame:
        self._another.set()
        return frame

    def __call__(self, tracked: Frame) -> Rendered:
        self._another.clear()
        self.overtaken |= self._another.wait(0.05)
        return super().__call__(tracked)


@pytest.mark.parametrize("in_turn", [False, True])
def test_in_turn_nothing_is_tracked_while_a_frame_is_drawn(in_turn: bool) -> None:
    watched = Watched()
    meter, _ = run("ok*30", watched.track, watched, rate_hz=100.0, in_turn=in_turn)
    assert meter.counted("rendered") >= 1
    assert watched.overtaken is not in_turn


@pytest.mark.parametrize(
    ("cores", "device", "in_turn"),
    [(1, "cpu", True), (2, "cpu", True), (3, "cpu", False), (2, "gpu", False), (2, "emulated", True)],
)
def test_turns_are_taken_where_cores_are_few(
    cores: int, device: DeviceName, in_turn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There one period is the age to hold, unless another one is asked for."""
    monkeypatch.setattr(config_module, "cores", lambda: cores)
    assert RunConfig(device=device).in_turn is in_turn
    assert RunConfig(device=device, rate=50).target_age_ms == (20 if in_turn else 30)
    assert [RunConfig(device=device, target_age=age).target_age_ms for age in (0, 70)] == [0, 70]


class FailsInSilence(Plain):
    """A render stage that fails to fill a silence, in which a frame comes and is tracked."""

    def __init__(self) -> None:
        self.tracked = threading.Event()

    def track(self, frame: Frame) -> Frame:
        if frame.index > 0:
            self.tracked.set()
        return frame

    def idle(self, now_s: float) -> Rendered | None:
        self.tracked.wait(5)
        raise ValueError("no picture")


@pytest.mark.parametrize("in_turn", [False, True])
def test_a_failure_in_a_silence_ends_all_stages(monkeypatch: pytest.MonkeyPatch, in_turn: bool) -> None:
    monkeypatch.setattr(pipeline_module, "SILENCE_S", 0.02)
    fails, meter = FailsInSilence(), Meter()
    camera = SyntheticCamera("ok*5", [np.zeros((8, 8, 3), np.uint8)], 5.0)
    pipeline = Pipeline(camera, fails.track, fails, OutputStage([NullSink()], 30.0), meter, in_turn=in_turn)
    with pytest.raises(StageError, match="no picture"):
        pipeline.run(20.0)
    assert not any(thread.is_alive() for thread in pipeline._threads)


class EndsUnderTheRenderer:
    """A source of one frame that ends once that is rendered; as a render stage it counts for how often it is asked to fill in."""

    reconnected = 0

    def __init__(self) -> None:
        self.asked = 0
        self._frames = iter([Frame(np.zeros((8, 8, 3), np.uint8), 0, 0.0)])
        self._rendered = threading.Event()

    def read(self) -> Frame | None:
        frame = next(self._frames, None)
        if frame is None:
            self._rendered.wait(20)
        return frame

    def close(self) -> None:
        pass

    def __call__(self, frame: Frame) -> Rendered:
        self._rendered.set()
        return Rendered(frame, PuppetState.LIVE)

    def idle(self, now_s: float) -> None:
        self.asked += 1


def test_the_end_is_no_silence_to_be_filled() -> None:
    """Or a recording could end with another picture than its last. Which thread is first is chance, so there are some runs."""
    for _ in range(30):
        both = EndsUnderTheRenderer()
        Pipeline(both, lambda frame: frame, both, OutputStage([NullSink()], 30.0), Meter()).run(20.0)
        assert both.asked == 0


@pytest.mark.parametrize("stage", ["track", "render", "output"])
def test_a_failing_stage_ends_the_run_with_its_cause(stage: str) -> None:
    class Broken(NullSink):
        def send(self, frame: Frame) -> None:
            fail(frame)

    def fail(item: Any) -> Any:
        raise ZeroDivisionError("on purpose")

    class BrokenRender(Plain):
        __call__ = staticmethod(fail)

    parts: dict[str, Any] = {
        "track": {"track": fail},
        "render": {"render": BrokenRender()},
        "output": {"sinks": [Broken()]},
    }[stage]
    with pytest.raises(StageError, match=rf"stage '{stage}'.*on purpose") as caught:
        run("ok*100000", **parts)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_failing_source_keeps_its_own_error() -> None:
    with pytest.raises(SourceError, match="script's 'fail'"):
        run("ok*5 fail ok*100000")


def test_all_sinks_are_closed_when_one_fails() -> None:
    closed: list[str] = []

    class Closing(NullSink):
        def close(self) -> None:
            closed.append("good")

    class Failing(Closing):
        def close(self) -> None:
            closed.append("bad")
            raise OutputError(wanted="a", found="b", advice="c")

    with pytest.raises(OutputError):
        run("ok*3", sinks=[Failing(), Closing()])
    assert closed == ["bad", "good"]


class Full(NullSink):
    """Takes two pictures, then the disk is full."""

    closed = False

    def send(self, frame: Frame) -> None:
        super().send(frame)
        if self.received > 2:
            raise OutputError(wanted="room for a recording", found="a full disk", advice="free some")

    def close(self) -> None:
        self.closed = True


def test_an_output_that_fails_does_not_take_the_others_with_it() -> None:
    full, camera, meter = Full(), NullSink(), Meter()
    inbox: Mailbox[Rendered] = Mailbox()
    stage = OutputStage([full, camera], 30.0)
    thread_failed: list[Exception] = []

    def output() -> None:
        try:
            stage(inbox, meter)
        except OutputError as error:
            thread_failed.append(error)

    thread = threading.Thread(target=output)
    thread.start()
    for index in range(20):
        inbox.put(Rendered(Frame(np.zeros((8, 8, 3), np.uint8), index, index / 30), PuppetState.LIVE))
        while meter.counted("sent") <= index:  # each one is handed over before the next
            threading.Event().wait(0.001)
    inbox.close()
    thread.join(10)
    assert (full.received, camera.received) == (3, 20)
    assert full.closed
    assert len(stage.lost) == 1
    assert "a full disk" in str(thread_failed[0])


def test_a_run_ends_when_its_last_output_failed() -> None:
    with pytest.raises(OutputError, match="a full disk"):
        run("ok*100000", sinks=[Full()])


def test_silence_is_filled_for_those_who_need_a_steady_rate() -> None:
    """After one frame the source is silent; the virtual camera gets repeats, the recording doesn't."""
    recording = NullSink()
    recording.wants_repeats = False
    inbox: Mailbox[Rendered] = Mailbox()
    meter = Meter()
    enough = threading.Event()

    class Camera(NullSink):
        def send(self, frame: Frame) -> None:
            super().send(frame)
            if self.received >= 4:
                enough.set()

    stage = OutputStage([Camera(), recording], 240.0)
    thread = threading.Thread(target=stage, args=(inbox, meter))
    thread.start()
    inbox.put(Rendered(Frame(np.zeros((4, 4, 3), np.uint8), 0, 0.0), PuppetState.LIVE))
    assert enough.wait(20)
    inbox.close()
    thread.join(20)
    assert meter.counted("sent") == 1
    assert meter.counted("repeated") >= 3
    assert recording.received == 1


def test_a_silent_source_lets_the_puppet_come_to_rest(bruno: Puppet) -> None:
    """The camera's read blocks for longer than hold and ease take: the output shows every step to the still picture."""
    shown: list[np.ndarray] = []
    scene = Scene(PortraitView(bruno, 64, 64))
    smile = performance({"mouthSmileLeft": 0.58, "mouthSmileRight": 0.58}, (20, 0, 0))

    class Remember(NullSink):
        def send(self, frame: Frame) -> None:
            shown.append(frame.bgr)

    def track(frame: Frame) -> Tracked:
        return Tracked(frame, None, None, smile)

    meter, _ = run("ok*2 silent*90", track=track, render=scene, sinks=[Remember()])
    assert meter.counted("sent") <= 2
    assert np.array_equal(shown[-1], scene.draw(Performance.neutral()))
    assert len({picture.tobytes() for picture in shown}) >= 4


@pytest.mark.parametrize("stuck", ["capture", "output"])
def test_a_stage_that_hangs_is_named(stuck: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "JOIN_S", 0.3)
    release = threading.Event()

    class Hanging(NullSink):
        def send(self, frame: Frame) -> None:
            release.wait(60)

    class HangingCamera(SyntheticCamera):
        def read(self) -> Frame | None:
            release.wait(60)
            return None

    sinks = [Hanging() if stuck == "output" else NullSink()]
    source = HangingCamera("ok", []) if stuck == "capture" else SyntheticCamera("ok*100000", [], 100.0)
    pipeline = Pipeline(source, lambda f: f, Plain(), OutputStage(sinks, 30.0), Meter())
    with pytest.raises(StageError, match=rf"{stuck}.* still busy"):
        pipeline.run(0.2)
    release.set()


def test_signals_in_a_process_of_their_own() -> None:
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(__file__).with_name("signals_alone.py"))]
    result = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr

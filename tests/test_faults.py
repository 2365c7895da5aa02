"""Written failures in every stage: the loop recovers or ends with the cause, never hangs, never shows the performer."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import performance
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.capture.synthetic import SyntheticCamera
from engine.errors import ConfigError, MimicamError, OutputError, SourceError, StageError
from engine.face.performance import Performance
from engine.face.pose import fit_head
from engine.face.reference import reference_face
from engine.live.faults import Faulty, FaultyRender, FaultySink, WrittenError
from engine.live.frame import Frame
from engine.live.mailbox import Mailbox
from engine.live.meter import Meter
from engine.live.pipeline import Pipeline
from engine.names import LandmarkName
from engine.output.null import NullSink
from engine.output.stage import OutputStage
from engine.puppet.format import Puppet
from engine.render.portrait_view import PortraitView
from engine.render.scene import Rendered, Scene
from engine.render.swap_view import SwapView
from engine.track.tracker import Tracked, Tracker

MAGENTA = (255, 0, 255)  # the performer's picture: no puppet has this colour
SIZE = (96, 64)


class Watching(NullSink):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.wants_repeats = False
        self.frames: list[Frame] = []

    def send(self, frame: Frame) -> None:
        self.frames.append(frame)


def track(frame: Frame) -> Tracked:
    """A tracker that sees a performer who nods, while there is one."""
    if not (frame.bgr == MAGENTA).all():
        return Tracked(frame, None, None, None)
    return Tracked(frame, None, None, performance({"jawOpen": 0.69}, (0, frame.index % 10, 0)))


def nap(seconds: float) -> None:
    """Long enough for other threads to come in between."""
    threading.Event().wait(0.002)


def spoilt_tracking(result: Tracked) -> Tracked:
    """Numbers that are none, or beyond any face."""
    offsets = np.full((478, 3), [np.nan, 1e30][result.frame.index % 2], np.float32)
    assert result.performance is not None
    return replace(result, performance=Performance(result.performance.head, offsets))


def run(
    puppet: Puppet, camera: str = "ok*40", tracking: str = "", rendering: str = "", sending: str = ""
) -> tuple[Meter, Pipeline, Watching]:
    """A run with a magenta performer; scripts by stage. The sink is returned even where the run fails: see `watched`."""
    picture = np.full((SIZE[1], SIZE[0], 3), MAGENTA, np.uint8)
    sink, meter = Watching(), Meter()
    watched.append(sink)
    render = FaultyRender(Scene(PortraitView(puppet, *SIZE)), rendering, spoilt_picture, nap)
    pipeline = Pipeline(
        SyntheticCamera(camera, [picture], 200.0),
        Faulty(track, tracking, spoilt_tracking, nap),
        render,
        OutputStage([FaultySink(sink, sending, nap)], 200.0),
        meter,
    )
    pipeline.run(30.0)
    return meter, pipeline, sink


watched: list[Watching] = []


@pytest.fixture(autouse=True)
def performer_is_never_shown() -> Iterator[None]:
    """After every test, whatever it did: no picture that reached an output holds the performer's colour."""
    watched.clear()
    yield
    for sink in watched:
        for frame in sink.frames:
            assert not (frame.bgr == MAGENTA).all(2).any()
        indices = [frame.index for frame in sink.frames]
        assert indices == sorted(indices)


def spoilt_picture(rendered: Rendered) -> Rendered:
    """A picture of another size."""
    return Rendered(replace(rendered.frame, bgr=rendered.frame.bgr[:7, :9]), rendered.state)


@pytest.mark.parametrize("stage", ["tracking", "rendering", "sending"])
def test_a_stall_costs_frames_and_nothing_else(bruno: Puppet, stage: str) -> None:
    meter, pipeline, sink = run(bruno, **{stage: "ok*5 stall*5 ok*5 stall*5"})
    assert meter.counted("captured") == 40
    assert meter.counted("sent") + pipeline.skipped() == 40
    assert sink.frames[-1].index == 39


@pytest.mark.parametrize(("stage", "name"), [("tracking", "track"), ("rendering", "render"), ("sending", "output")])
def test_an_exception_ends_the_run_with_its_cause(bruno: Puppet, stage: str, name: str) -> None:
    with pytest.raises(StageError, match=rf"stage '{name}' to go on.*the script's 'fail'") as caught:
        run(bruno, camera="ok*100000", **{stage: "ok*5 fail"})
    assert isinstance(caught.value.__cause__, WrittenError)
    assert not {t.name for t in threading.enumerate()} & {"capture", "track", "render", "output"}


def test_garbage_from_tracking_is_a_loss_and_passes(bruno: Puppet) -> None:
    meter, _, sink = run(bruno, tracking="ok*10 garbage*10", camera="ok*60")
    assert meter.counted("puppet_held") > 0
    assert meter.counted("puppet_live") > 0
    assert sink.frames[-1].index == 59


def test_garbage_from_rendering_ends_the_run_with_both_sizes(bruno: Puppet) -> None:
    with pytest.raises(OutputError, match=r"96x64.*9x7"):
        run(bruno, rendering="ok*10 garbage", camera="ok*100000")


@pytest.mark.parametrize(
    ("camera", "lost"),
    [
        ("ok*10 dark*40 ok*10", True), ("ok*10 noise*40 ok*10", True), ("ok*5 skip*20 ok*5", False), ("silent*3 ok*20", False),
    ],
)  # fmt: skip
def test_a_source_that_goes_wrong_and_right_again(bruno: Puppet, camera: str, lost: bool) -> None:
    meter, pipeline, _ = run(bruno, camera=camera)
    assert meter.counted("sent") + pipeline.skipped() == meter.counted("captured") > 0
    assert (meter.counted("puppet_held") > 0) is lost


def test_a_camera_that_turns_dark_never_shows_through_a_swap(bruno: Puppet, clip_puppet: Puppet) -> None:
    """In the one mode whose canvas is the camera's picture: while nobody is found it is not sent."""
    assert clip_puppet.clip is not None
    bare, points_px = clip_puppet.clip.picture(20), clip_puppet.clip.analysis.landmarks_px[20]
    pose, glare = fit_head(reference_face().mean, points_px), np.full_like(bare, MAGENTA)
    frames = [*[bare] * 3, *[glare] * 20, *[bare] * 3]
    scene = Scene(SwapView(bruno, bare.shape[1], bare.shape[0]))
    sink = Watching()
    watched.append(sink)
    for index, picture in enumerate(frames):
        frame = Frame(picture, index, index / 10)
        seen = picture is bare
        neutral = Performance.neutral() if seen else None
        tracked = Tracked(frame, points_px if seen else None, pose if seen else None, neutral)
        sink.send(scene(tracked).frame)
    assert len(sink.frames) == len(frames)


@pytest.mark.parametrize("landmarks", ["openvino", "mediapipe"])
def test_a_network_that_returns_no_numbers_is_a_loss(
    landmarks: LandmarkName, demo_frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is learnt from it: the performer is found again in the frame after."""
    tracker = Tracker(landmarks=landmarks)
    owner, attribute = (tracker._mesh, "_run") if landmarks == "openvino" else (tracker._mesh._mesh, "process")
    monkeypatch.setattr(owner, attribute, Faulty(getattr(owner, attribute), "ok*3 garbage*2", no_numbers))
    results = [tracker(Frame(bgr, i, i / 30)) for i, bgr in enumerate(demo_frames[:8])]
    tracker.close()
    assert [r.lost for r in results[:3]] == [False] * 3
    assert results[3].lost
    assert not results[-1].lost
    assert all(np.isfinite(r.landmarks_px).all() for r in results if r.landmarks_px is not None)


def no_numbers(answer: Any) -> Any:
    """A network's answer with every landmark replaced by what is no number."""
    if not hasattr(answer, "multi_face_landmarks"):
        return {name: np.full_like(answer[port], np.nan) for port in answer for name in port.get_names()}
    for face in answer.multi_face_landmarks:
        for point in face.landmark:
            point.x = point.y = point.z = float("nan")
    return answer


def test_a_script_that_is_not_understood_says_what_is() -> None:
    with pytest.raises(ConfigError, match="ok, stall, fail, garbage"):
        Faulty(track, "ok*3 explode")


WORDS = st.lists(st.sampled_from(["ok", "ok*3", "stall", "ok*9", "fail"]), max_size=6).map(" ".join)
SOURCES = st.lists(st.sampled_from(["ok*5", "skip*3", "silent", "dark*2", "noise", "fail"]), max_size=6).map(" ".join)


class Echo:
    """A renderer that is quick, for many runs."""

    def __init__(self, also: Callable[[Any], Any] | None) -> None:
        self._also = also

    def __call__(self, tracked: Frame) -> Any:
        if self._also is not None:
            self._also(tracked)
        return Rendered(tracked, "live")  # type: ignore[arg-type]

    def idle(self, now_s: float) -> None:
        return None


@given(
    SOURCES, WORDS, WORDS, WORDS, st.one_of(st.none(), st.integers(0, 12)), st.sampled_from(["track", "render", "main"]),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_every_interleaving_ends(
    camera: str, tracking: str, rendering: str, sending: str, stop_at: int | None, stopper: str, in_turn: bool
) -> None:
    """Stages stall and fail at random, and somebody calls `stop` in the middle of it."""
    seen, meter = Watching(), Meter()
    counter = iter(range(10_000))

    def stop_sometimes(item: Any) -> Any:
        if stop_at is not None and next(counter) == stop_at:
            pipeline.stop()
        return item

    render = FaultyRender(Echo(stop_sometimes if stopper == "render" else None), rendering, nap=nap)
    tracked = Faulty(lambda f: stop_sometimes(f) if stopper == "track" else f, tracking, nap=nap)
    sink = FaultySink(seen, sending, nap=nap)
    pipeline = Pipeline(
        SyntheticCamera(camera, []), tracked, render, OutputStage([sink], 1000.0), meter, in_turn=in_turn
    )
    watch = (lambda: stop_sometimes(None)) if stopper == "main" else None
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    failure: MimicamError | None = None
    try:
        pipeline.run(10.0, watch)
    except MimicamError as error:
        failure = error
    finally:
        sys.setswitchinterval(interval)
    assert not any(thread.is_alive() for thread in pipeline._threads)
    indices = [frame.index for frame in seen.frames]
    assert indices == sorted(set(indices))
    assert meter.counted("sent") + pipeline.skipped() <= meter.counted("captured")
    if failure is None:
        assert meter.counted("sent") + pipeline.skipped() == meter.counted("captured")
    else:
        assert isinstance(failure, SourceError | StageError)
        assert "fail" in " ".join((camera, tracking, rendering, sending))


class MailboxMachine(RuleBasedStateMachine):
    """A mailbox beside the plainest thing that says what it must do."""

    def __init__(self) -> None:
        super().__init__()
        self.mailbox: Mailbox[int] = Mailbox()
        self.waiting: int | None = None
        self.number, self.lost, self.closed = 0, 0, False

    @rule()
    def put(self) -> None:
        self.number += 1
        assert self.mailbox.put(self.number) is not self.closed
        if not self.closed:
            self.lost += self.waiting is not None
            self.waiting = self.number

    @rule()
    def take(self) -> None:
        assert self.mailbox.take(0) == self.waiting
        self.waiting = None

    @rule()
    def close(self) -> None:
        self.mailbox.close()
        self.closed = True

    @precondition(lambda self: self.closed and self.waiting is None)
    @rule()
    def waiting_for_ever_is_over(self) -> None:
        assert self.mailbox.take() is None

    @invariant()
    def says_what_it_is(self) -> None:
        assert self.mailbox.closed is self.closed
        assert self.mailbox.done is (self.closed and self.waiting is None)
        assert self.mailbox.overwritten == self.lost


MailboxMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestMailbox = MailboxMachine.TestCase

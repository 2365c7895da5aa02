"""One live run: open everything, warm up, loop, report."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec

from rich.console import Console
from rich.live import Live

from engine.config import RunConfig
from engine.drive.attributes import Attributes
from engine.drive.drive import Drive, open_drive, open_tracker
from engine.errors import MimicamError, StageError
from engine.files import require_place
from engine.live.governor import Governor
from engine.live.meter import Meter
from engine.live.pipeline import Pipeline
from engine.live.signals import heard, undisturbed
from engine.machine import memory_mb
from engine.output.open import open_sinks, recordings_in
from engine.output.stage import OutputStage, Sink
from engine.perform.recording import SUFFIX
from engine.perform.replay import Replay
from engine.render.ladder import Step, first_that_fits
from engine.render.quality import LADDER
from engine.render.scene import Scene
from engine.report import Outcome, print_report, run_report, write_json
from engine.switchboard import Switchboard, refuse_swap_without_pictures
from engine.track.tracker import Tracker
from engine.trust.journal import Journal, running
from kernels.warm_up import warm_up

P = ParamSpec("P")
SETTLED_S = 10.0  # memory is compared with what it was then
RECENT_FRAMES = 30


def prepare(
    config: RunConfig, tell: Callable[[str], object] = lambda reason: None, journal: Journal | None = None
) -> Switchboard:
    """Load puppet and networks, and draw once so that nothing is compiled while the camera waits."""
    switchboard = Switchboard(config, tell, journal)
    warm_up()
    switchboard.scene.rehearse()
    return switchboard


def prepare_stages(config: RunConfig) -> tuple[Tracker, Scene]:
    """Scene and tracker of a camera's run, warm."""
    scene = prepare(config).scene
    return open_tracker(config), scene


def run(config: RunConfig, console: Console, replay: Replay | None = None) -> None:
    """Run the live loop, print its report and write it where the settings say. A `replay` stands in for the camera, as does a
    performance file that is named as one.

    Raises MimicamError for whatever stops the run before its time; the report is written all the same.
    """
    if replay is None and Path(config.camera).suffix == SUFFIX:
        replay = Replay(Path(config.camera))
    with running() as journal:
        _run(config, console, replay, journal)


@dataclass(frozen=True, slots=True)
class _Opened:
    """All that a loop needs."""

    drive: Drive
    switchboard: Switchboard
    sinks: list[Sink]
    ladder: list[Step]
    stop: threading.Event  # set where the window is asked to end


def _run(config: RunConfig, console: Console, replay: Replay | None, journal: Journal) -> None:
    refuse_swap_without_pictures(config, replay is not None)
    if config.report is not None:
        require_place(config.report, "the report")
    with console.status("preparing"):
        opened = _open(config, console, replay, journal)
    outcome, recorded = _loop(config, opened, console)
    with undisturbed():
        _finish(config, opened, outcome, recorded, console)


def _finish(config: RunConfig, opened: _Opened, outcome: Outcome, recorded: bool, console: Console) -> None:
    """Close, report and sign; MimicamError for the first thing that went wrong in all of the run."""
    if not isinstance(outcome.failure, StageError):  # a stage that hangs may still be using it
        opened.drive.close()
    report = run_report(outcome)
    print_report(report, console)
    failures = [outcome.failure]
    if recorded:
        credentials = opened.switchboard.credentials()
        with console.status("signing"):
            failures += [_failure_of(credentials.sign, recording) for recording in recordings_in(config.output)]
    if config.report is not None:
        failures.append(_failure_of(write_json, report, config.report))
    first = next((failure for failure in failures if failure is not None), None)
    if first is not None:
        raise first


def _open(config: RunConfig, console: Console, replay: Replay | None, journal: Journal) -> _Opened:
    triggers, stop = config.expressions.triggers(), threading.Event()
    drive: Drive  # opened last, the window that hears the keys before it
    switchboard = prepare(config, lambda text: console.print(text, markup=False), journal)
    keys = config.expressions.key_actions(triggers) | {
        "n": lambda: drive.performer.recapture(), "q": stop.set, "esc": stop.set,
        "m": switchboard.ask_mode, "p": switchboard.ask_puppet, "b": switchboard.ask_blend,
    }  # fmt: skip
    attributes = Attributes(config.attributes)
    sliders = attributes.sliders() if config.sliders else ()
    ladder = switchboard.scene.ladder() if config.target_age_ms else [Step(LADDER[0], 0.0)]
    sinks = open_sinks(config.output, config.size, config.rate, keys, sliders)
    try:
        drive = open_drive(config, triggers, attributes, replay, console.print)
    except BaseException:
        for sink in sinks:
            sink.close()
        raise
    return _Opened(drive, switchboard, sinks, ladder, stop)


def _loop(config: RunConfig, opened: _Opened, console: Console) -> tuple[Outcome, bool]:
    """What the run came to, and whether its recordings are whole."""
    drive, switchboard, ladder = opened.drive, opened.switchboard, opened.ladder
    scene, meter = switchboard.scene, Meter()
    begin = first_that_fits(ladder, config.rate, in_turn=config.in_turn)
    governor = Governor([step.draw_ms for step in ladder], config.target_age_ms, begin)
    scene.quality = ladder[governor.level].quality
    output = OutputStage(opened.sinks, config.rate)
    pipeline = Pipeline(drive.performer.source, drive, scene, output, meter, in_turn=config.in_turn)
    memory: dict[str, float] = {}
    failure: MimicamError | None = None
    told: list[str] = []
    with heard(drive.performer.recapture), Live(console=console, refresh_per_second=4, transient=True) as live:

        def watch() -> None:
            scene.quality = ladder[governor.look(meter.age, meter.stage("render"), time.monotonic())].quality
            switchboard.serve()
            live.update(status_line(meter, pipeline.skipped(), scene.quality.name, drive.counted()))
            for trouble in _troubles(output, drive):
                if trouble not in told:
                    console.print(trouble, markup=False)
                    told.append(trouble)
            if "settled" not in memory and time.monotonic() - meter.started_s > SETTLED_S:
                memory["settled"] = memory_mb()
            if opened.stop.is_set() or drive.ended:
                pipeline.stop()

        try:
            pipeline.run(config.seconds, watch)
        except MimicamError as error:
            failure = error
    if failure is None and drive.ends_with_sound and isinstance(drive.sound_failure, MimicamError):
        failure = drive.sound_failure  # it was all that performed
    memory["end"] = memory_mb()
    meter.count("reconnected", drive.performer.source.reconnected)
    setting = config.model_dump(mode="json", exclude={"report", "seconds"}, exclude_none=True)
    setting["in_turn"] = config.in_turn
    outcome = Outcome(
        meter, pipeline.skipped(), governor, ladder, scene.runtime, scene.drawn_on, memory, setting, failure,
        drive.counted(), drive.sound(), output.lost,
    )  # fmt: skip
    return outcome, pipeline.output_ended and bool(meter.counted("rendered"))


def _troubles(output: OutputStage, drive: Drive) -> list[str]:
    """What was lost until now while the run goes on, a line each."""
    troubles = [f"an output failed, the others go on: {why}" for why in output.lost]
    if drive.sound_failure is not None and not drive.ends_with_sound:
        troubles.append(f"without sound from now on: {drive.sound_failure}")
    return troubles


def _failure_of(work: Callable[P, object], *given: P.args, **named: P.kwargs) -> MimicamError | None:
    """Do it; what kept one from it."""
    try:
        work(*given, **named)
    except MimicamError as error:
        return error
    return None


def status_line(meter: Meter, skipped: int, quality: str, counted: dict[str, int]) -> str:
    """Rate, age, what the governor makes of it, losses, and what else is counted, in one line."""
    without = sum(meter.counted(f"puppet_{state}") for state in ("held", "easing", "still"))
    return (
        f"{meter.recent_rate_hz(time.monotonic()):5.1f} fps   age {meter.age.recent(RECENT_FRAMES):5.1f} ms   "
        f"quality {quality}   skipped {skipped}   repeated {meter.counted('repeated')}   without performer {without}"
        + "".join(f"   {name.replace('_', ' ')} {count}" for name, count in counted.items())
    )

"""One live run: open everything, warm up, loop, report."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from engine.config import RunConfig
from engine.drive.attributes import Attributes
from engine.drive.drive import Drive, open_drive, open_tracker
from engine.drive.triggers import Triggers
from engine.errors import ConfigError, MimicamError, StageError
from engine.live.governor import Governor
from engine.live.meter import Meter
from engine.live.pipeline import Pipeline
from engine.machine import memory_mb
from engine.output.open import open_sinks, recordings_in
from engine.output.stage import OutputStage, Sink
from engine.perform.recording import SUFFIX
from engine.perform.replay import Replay
from engine.protocols.table import is_protocol
from engine.render.ladder import Step, first_that_fits
from engine.render.quality import LADDER
from engine.render.scene import Scene
from engine.report import print_report, run_report, write_json
from engine.switchboard import Switchboard
from engine.track.tracker import Tracker
from engine.trust.journal import Journal, running
from kernels.warm_up import warm_up

SETTLED_S = 10.0  # memory is compared with what it was then
RECENT_FRAMES = 30


def prepare(
    config: RunConfig, tell: Callable[[str], object] = lambda reason: None, journal: Journal | None = None
) -> Switchboard:
    """Load puppet and networks, and draw once so that nothing is compiled while the camera waits."""
    switchboard = Switchboard(config, tell, journal)
    warm_up()
    switchboard.scene.view.rehearse(LADDER[0])
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


def _run(config: RunConfig, console: Console, replay: Replay | None, journal: Journal) -> None:
    stop = threading.Event()
    triggers = config.expressions.triggers()
    _refuse_swap_without_pictures(config, replay)
    drive: Drive  # opened last, the window that hears the keys before it
    switchboard: Switchboard
    keys = config.expressions.key_actions(triggers) | {
        "n": lambda: drive.performer.recapture(), "q": stop.set, "esc": stop.set,
        "m": lambda: switchboard.ask_mode(), "p": lambda: switchboard.ask_puppet(), "b": lambda: switchboard.ask_blend(),
    }  # fmt: skip
    attributes = Attributes(config.attributes)
    with console.status("preparing"):
        switchboard = prepare(config, lambda text: console.print(text, markup=False), journal)
        scene = switchboard.scene
        ladder = scene.ladder() if config.target_age_ms else [Step(LADDER[0], 0.0)]
        sinks = open_sinks(
            config.output,
            config.size,
            config.rate,
            keys,
            attributes.sliders() if config.sliders else (),
        )
        drive = _open_or_close(config, triggers, attributes, replay, sinks, console)
    meter = Meter()
    governor = Governor(len(ladder), config.target_age_ms, first_that_fits(ladder, config.rate))
    scene.quality = ladder[governor.level].quality
    pipeline = Pipeline(drive.performer.source, drive, scene, OutputStage(sinks, config.rate), meter)
    memory: dict[str, float] = {}
    failure: MimicamError | None = None
    with _signals(drive.performer.recapture), Live(console=console, refresh_per_second=4, transient=True) as live:

        def watch() -> None:
            scene.quality = ladder[governor.look(meter.age, time.monotonic())].quality
            switchboard.serve()
            live.update(status_line(meter, pipeline.skipped(), scene.quality.name, drive.counted()))
            if "settled" not in memory and time.monotonic() - meter.started_s > SETTLED_S:
                memory["settled"] = memory_mb()
            if stop.is_set() or drive.ended:
                pipeline.stop()

        try:
            pipeline.run(config.seconds, watch)
        except MimicamError as error:
            failure = error
    memory["end"] = memory_mb()
    meter.count("reconnected", drive.performer.source.reconnected)
    report = run_report(
        meter, pipeline.skipped(), governor, ladder, scene.runtime, scene.drawn_on, memory, _setting(config), failure,
        drive.counted(), drive.sound(),
    )  # fmt: skip
    if not isinstance(failure, StageError):  # a stage that hangs may still be using it
        drive.close()
    print_report(report, console)
    if config.report is not None:
        write_json(report, config.report)
    if pipeline.output_ended and meter.counted("rendered"):
        unsigned = _sign(recordings_in(config.output), switchboard, console)
        failure = failure or unsigned
    if failure is not None:
        raise failure


def _sign(recordings: list[Path], switchboard: Switchboard, console: Console) -> MimicamError | None:
    """Put credentials into recordings that are done; what kept one from it."""
    with console.status("signing"):
        try:
            for recording in recordings:
                switchboard.credentials().sign(recording)
        except MimicamError as error:
            return error
    return None


def _refuse_swap_without_pictures(config: RunConfig, replay: Replay | None) -> None:
    if config.mode == "swap" and (replay is not None or config.camera == "none" or is_protocol(config.camera)):
        raise ConfigError(
            wanted="pictures of a performer to put the puppet's face on, in mode swap",
            found="a recorded performance" if replay is not None else f"--camera {config.camera}, which has none",
            advice="Use a camera, a clip or demo; or mode portrait or face2face.",
        )


def _open_or_close(
    config: RunConfig,
    triggers: Triggers,
    attributes: Attributes,
    replay: Replay | None,
    sinks: list[Sink],
    console: Console,
) -> Drive:
    """Whoever performs; the sinks are closed again where that can't be opened."""
    try:
        return open_drive(config, triggers, attributes, replay, console.print)
    except BaseException:
        for sink in sinks:
            sink.close()
        raise


def _setting(config: RunConfig) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude={"report", "seconds"}, exclude_none=True)


def status_line(meter: Meter, skipped: int, quality: str, counted: dict[str, int]) -> str:
    """Rate, age, what the governor makes of it, losses, and what else is counted, in one line."""
    without = sum(meter.counted(f"puppet_{state}") for state in ("held", "easing", "still"))
    return (
        f"{meter.recent_rate_hz(time.monotonic()):5.1f} fps   age {meter.age.recent(RECENT_FRAMES):5.1f} ms   "
        f"quality {quality}   skipped {skipped}   repeated {meter.counted('repeated')}   without performer {without}"
        + "".join(f"   {name.replace('_', ' ')} {count}" for name, count in counted.items())
    )


@contextmanager
def _signals(recapture: Callable[[], None]) -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does; SIGUSR1 takes a new neutral, for machines without a window."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted: dict[int, Callable[..., None]] = {signal.SIGTERM: signal.default_int_handler}
    if hasattr(signal, "SIGUSR1"):
        wanted[signal.SIGUSR1] = lambda *_: recapture()
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""`mimicam perform record | convert | replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from engine import options

app = typer.Typer(no_args_is_help=True, help="Record performances, and play them again.")
console = Console()


@app.command("record")
def record(
    out: Annotated[Path, typer.Argument(help="NAME.performance to write.")],
    camera: Annotated[
        str, typer.Option(help="As of run: a camera, a file, or a program that sends a performance.")
    ] = "0",
    sound: options.Sound = None,
    seconds: options.Seconds = None,
    neutral: options.NeutralFace = None,
) -> None:
    """Record what a performer does, without a picture of them. Ctrl-C ends it."""
    from engine.drive.drive import open_drive
    from engine.drive.triggers import Triggers
    from engine.perform.record import record as record_performance
    from engine.perform.recording import MOST_FRAMES

    settings = options.settings_of(None, camera=camera, neutral=neutral, remember=False, sound=sound)
    drive = open_drive(settings, Triggers([]), tell=console.print)
    moments = record_performance(drive.performer.source, drive, out, seconds, drive.performer.recapture)
    lost = sum(moment.performance is None for moment in moments)
    console.print(f"{out}: {len(moments)} frames, {lost} of them without a performer" if moments else "nothing came")
    if drive.sound_failure is not None:
        console.print(f"the sound broke off: {drive.sound_failure}", markup=False)
    if len(moments) == MOST_FRAMES:
        console.print("that is the longest that a file may be: the rest was not kept")


@app.command("convert")
def convert(
    source: Annotated[Path, typer.Argument(help="A .performance, a CSV of Live Link Face, or sound with speech.")],
    out: Annotated[Path, typer.Argument(help="NAME.performance or NAME.csv to write.")],
) -> None:
    """Make a performance of a phone's recording or of speech, or a CSV of a performance."""
    from engine.perform.drivers import load_moments, save_moments
    from engine.perform.recording import find_performance

    moments = load_moments(find_performance(str(source)))
    save_moments(moments, out)
    console.print(f"{out}: {len(moments)} frames")


@app.command("replay")
def replay(
    performance: Annotated[str, typer.Argument(help="A .performance file, or a shipped one: hello, talk, look.")],
    puppet: options.Puppet = None,
    mode: options.Mode = None,
    blend: options.Blend = None,
    play: options.Play = None,
    attribute: options.Attribute = None,
    output: options.Outputs = None,
    badge: options.Badge = None,
    size: options.Size = None,
    mirror: options.Mirror = None,
    pose: options.Pose = None,
    strength: options.Strength = None,
    runtime: options.Runtime = None,
    crops: options.Crops = None,
    loop: Annotated[bool, typer.Option("--loop", help="Over and over.")] = False,
    seconds: options.Seconds = None,
    report: options.Report = None,
    config: options.Settings = None,
) -> None:
    """Let a puppet do a recorded performance, live, without a camera. `mimicam render` takes the file too."""
    from engine.perform.recording import find_performance
    from engine.perform.replay import Replay
    from engine.run import run as run_loop

    settings = options.settings_of(
        config, strength=strength, attribute=attribute, badge=badge, camera=performance, puppet=puppet, mode=mode,
        blend=blend, play=play, output=output, size=size, mirror=mirror, pose=pose, runtime=runtime, crops=crops,
        seconds=seconds, report=report,
    )  # fmt: skip
    run_loop(settings, console, Replay(find_performance(performance), loop=loop))

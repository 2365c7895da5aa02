"""`mimicam perform record | replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from engine.config import read_config

app = typer.Typer(no_args_is_help=True, help="Record performances, and play them again.")
console = Console()


@app.command("record")
def record(
    out: Annotated[Path, typer.Argument(help="NAME.performance to write.")],
    camera: Annotated[
        str, typer.Option(help="As of run: a camera, a file, or a program that sends a performance.")
    ] = "0",
    sound: Annotated[str | None, typer.Option(help="As of run.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Stop after so long.")] = None,
    neutral: Annotated[str, typer.Option(help="auto, or first: the first face is the neutral one.")] = "auto",
) -> None:
    """Record what a performer does, without a picture of them. Ctrl-C ends it."""
    from engine.drive.drive import open_drive
    from engine.drive.triggers import Triggers
    from engine.perform.record import record as record_performance

    settings = read_config(
        None, {"camera": camera, "neutral": neutral, "remember": False} | ({"sound": sound} if sound else {})
    )
    drive = open_drive(settings, Triggers([]), tell=console.print)
    moments = record_performance(drive.performer.source, drive, out, seconds)
    lost = sum(moment.performance is None for moment in moments)
    console.print(f"{out}: {len(moments)} frames, {lost} of them without a performer" if moments else "nothing came")


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
    puppet: Annotated[str | None, typer.Option(help="Name of a shipped puppet, or a path.")] = None,
    output: Annotated[list[str] | None, typer.Option(help="As of run.")] = None,
    size: Annotated[str | None, typer.Option(help="Size of the outputs, e.g. 1280x720.")] = None,
    runtime: Annotated[str | None, typer.Option(help="As of run.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Over and over.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write the report to this JSON file.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings from a TOML file; options win over it.")] = None,
) -> None:
    """Let a puppet do a recorded performance, live, without a camera. `mimicam render` takes the file too."""
    from engine.perform.recording import find_performance
    from engine.perform.replay import Replay
    from engine.run import run as run_loop

    options: dict[str, Any] = {
        "camera": performance, "puppet": puppet, "output": tuple(output) if output else None,
        "size": size, "runtime": runtime, "report": report,
    }  # fmt: skip
    settings = read_config(config, {k: v for k, v in options.items() if v is not None})
    run_loop(settings, console, Replay(find_performance(performance), loop=loop))

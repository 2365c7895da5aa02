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
    camera: Annotated[str, typer.Option(help="Index, path or name; a file, folder or URL; demo.")] = "0",
    seconds: Annotated[float | None, typer.Option(help="Stop after so long.")] = None,
    neutral: Annotated[str, typer.Option(help="auto, or first: the first face is the neutral one.")] = "auto",
) -> None:
    """Record what a performer does, without a picture of them. Ctrl-C ends it."""
    from engine.capture.open import open_source
    from engine.capture.webcam import WebcamFormat
    from engine.face.calibration import WINDOW_S, Calibration
    from engine.perform.record import record as record_performance
    from engine.track.tracker import Tracker

    settings = read_config(None, {"camera": camera, "neutral": neutral})
    tracker = Tracker(Calibration(window_s=0.0 if settings.neutral == "first" else WINDOW_S))
    moments = record_performance(open_source(camera, WebcamFormat(), settings.rate), tracker, out, seconds)
    lost = sum(moment.performance is None for moment in moments)
    console.print(f"{out}: {len(moments)} frames, {lost} of them without a performer" if moments else "nothing came")


@app.command("replay")
def replay(
    performance: Annotated[str, typer.Argument(help="A .performance file, or a shipped one: hello, talk, look.")],
    puppet: Annotated[str | None, typer.Option(help="Name of a shipped puppet, or a path.")] = None,
    output: Annotated[list[str] | None, typer.Option(help="As of run.")] = None,
    size: Annotated[str | None, typer.Option(help="Size of the outputs, e.g. 1280x720.")] = None,
    runtime: Annotated[str | None, typer.Option(help="As of run.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Over and over.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write the report to this JSON file.")] = None,
) -> None:
    """Let a puppet do a recorded performance, live, without a camera. `mimicam render` takes the file too."""
    from engine.perform.recording import find_performance
    from engine.perform.replay import Replay
    from engine.run import run as run_loop

    options: dict[str, Any] = {
        "camera": performance, "puppet": puppet, "output": tuple(output) if output else None,
        "size": size, "runtime": runtime, "report": report,
    }  # fmt: skip
    config = read_config(None, {k: v for k, v in options.items() if v is not None})
    run_loop(config, console, Replay(find_performance(performance), loop=loop))

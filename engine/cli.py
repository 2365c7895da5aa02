"""The command line: `mimicam run | render | perform | puppet | verify | log | doctor`."""

from __future__ import annotations

import os
import sys
import traceback
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from engine.config import read_config
from engine.errors import ConfigError, MimicamError, StageError
from engine.perform.commands import app as perform_app
from engine.puppet.commands import app as puppet_app
from engine.trust.commands import log_app, verify

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Be a puppet, live.")
app.add_typer(puppet_app, name="puppet")
app.add_typer(perform_app, name="perform")
app.add_typer(log_app, name="log")
app.command()(verify)
for command in entry_points(group="mimicam.commands"):
    app.add_typer(command.load(), name=command.name)
console = Console()
complaints = Console(stderr=True)  # looks up sys.stderr when it prints


@app.command()
def run(
    camera: Annotated[
        str | None,
        typer.Option(
            help="Index, path or name; a file, folder or URL; demo; none; or a program that sends a performance: livelink, "
            "ifacialmocap, openseeface, vmc, each [:HOST][:PORT]."
        ),
    ] = None,
    puppet: Annotated[str | None, typer.Option(help="Name of a shipped puppet, or a path.")] = None,
    mode: Annotated[
        str | None,
        typer.Option(help="portrait: its own picture; face2face: its clip; swap: its face on yours. m changes it."),
    ] = None,
    blend: Annotated[
        str | None, typer.Option(help="auto, feather, multiband or poisson: how a face is laid in. b changes it.")
    ] = None,
    play: Annotated[
        str | None, typer.Option(help="loop, pingpong or hold: what a clip does at its end, in mode face2face.")
    ] = None,
    occlusion: Annotated[
        str | None,
        typer.Option(help="network, hands (that and MediaPipe's) or none: what stays in front in mode swap."),
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(help="smile, brows, lids, jaw, lips or gaze=VALUE, from -1 to 1, on top of the performance."),
    ] = None,
    sliders: Annotated[bool | None, typer.Option("--sliders", help="Sliders of the attributes in the window.")] = None,
    output: Annotated[
        list[str] | None, typer.Option(help="virtual[:DEVICE], window, file:OUT.mp4, null. May be given several times.")
    ] = None,
    badge: Annotated[
        bool | None, typer.Option("--badge/--no-badge", help="The words in a corner that say what it is.")
    ] = None,
    size: Annotated[str | None, typer.Option(help="Size of the outputs, e.g. 1280x720.")] = None,
    rate: Annotated[float | None, typer.Option(help="Pictures a second.")] = None,
    camera_size: Annotated[
        str | None, typer.Option(help="Size to ask of the camera; refused if it gives another.")
    ] = None,
    mirror: Annotated[bool | None, typer.Option("--mirror", help="The puppet is your mirror image.")] = None,
    pose: Annotated[
        str | None, typer.Option(help="relative: the head turns by what yours turned; absolute: to where yours is.")
    ] = None,
    strength: Annotated[
        list[str] | None,
        typer.Option(help="head, mouth, eyes, gaze or brows=FACTOR; 1 is as performed. May be given several times."),
    ] = None,
    sound: Annotated[
        str | None, typer.Option(help="mic, mic:NAME or a sound file: drives the mouth while no face is seen.")
    ] = None,
    sound_when: Annotated[str | None, typer.Option(help="lost, or always: for a mouth that is covered.")] = None,
    send: Annotated[
        list[str] | None,
        typer.Option(
            help="Tell the performance to other programs: livelink, ifacialmocap, openseeface or vmc[:HOST][:PORT]."
        ),
    ] = None,
    keys: Annotated[bool | None, typer.Option("--keys", help="Keys 1 to 8 in the window call for expressions.")] = None,
    hands: Annotated[
        bool | None, typer.Option("--hands", help="Thumbs up, open palm, fist and victory call for expressions.")
    ] = None,
    performer: Annotated[str | None, typer.Option(help="Whose calibration to remember for this camera.")] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Neither use nor keep a calibration.")] = False,
    runtime: Annotated[
        str | None, typer.Option(help="Of the networks: auto, none, openvino, torch-cpu, torch-cuda, tensorrt.")
    ] = None,
    landmarks: Annotated[
        str | None, typer.Option(help="What finds the face's points: openvino, mediapipe or tensorrt.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="What draws: cpu or gpu.")] = None,
    neutral: Annotated[str | None, typer.Option(help="auto, or first: the first face is the neutral one.")] = None,
    target_age: Annotated[
        float | None,
        typer.Option(help="Frame age to hold, ms, by drawing less well where time is short; 0 never does."),
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="Stop after so long.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report to this JSON file.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings from a TOML file; options win over it.")] = None,
) -> None:
    """Drive a puppet live. Ctrl-C ends it, as do Esc and q in the window; n takes a new neutral, m changes
    the mode, p the puppet, b the blend."""
    from engine.run import run as run_loop

    options: dict[str, Any] = {
        "camera": camera, "puppet": puppet, "mode": mode, "output": tuple(output) if output else None,
        "size": size, "rate": rate, "camera_size": camera_size, "mirror": mirror, "runtime": runtime,
        "device": device, "landmarks": landmarks,
        "neutral": neutral, "target_age": target_age, "seconds": seconds, "report": report, "pose": pose,
        "sound": sound, "sound_when": sound_when, "send": tuple(send) if send else None, "performer": performer,
        "remember": False if forget else None, "style": _pairs(strength, "mouth=1.2") or None,
        "blend": blend, "play": play, "occlusion": occlusion, "sliders": sliders,
        "attributes": _pairs(attribute, "smile=0.3") or None,
        "expressions": _switched_on(keys=keys, hands=hands) or None, "badge": _shown(badge),
    }  # fmt: skip
    run_loop(read_config(config, {k: v for k, v in options.items() if v is not None}), console)


def _pairs(given: list[str] | None, example: str) -> dict[str, str]:
    """`mouth=1.2` and so on as settings."""
    pairs = {text: text.partition("=") for text in given or []}
    wrong = next((text for text, (_, equals, _) in pairs.items() if not equals), None)
    if wrong is not None:
        raise ConfigError(wanted="NAME=VALUE", found=f"'{wrong}'", advice=f"For instance {example}.")
    return {name: value for name, _, value in pairs.values()}


def _shown(badge: bool | None) -> dict[str, bool] | None:
    return None if badge is None else {"shown": badge}


def _switched_on(**kinds: bool | None) -> dict[str, dict[str, bool]]:
    """What calls for expressions, as settings."""
    return {kind: {"enabled": True} for kind, wanted in kinds.items() if wanted}


@app.command()
def render(
    driver: Annotated[
        Path, typer.Option(help="Clip of the performer, a .performance, a CSV of Live Link Face, or speech.")
    ],
    output: Annotated[Path, typer.Option(help="MP4 file to write.")],
    puppet: Annotated[str | None, typer.Option(help="Name of a shipped puppet, or a path.")] = None,
    size: Annotated[str | None, typer.Option(help="Size of the output.")] = None,
    badge: Annotated[
        bool | None, typer.Option("--badge/--no-badge", help="The words in a corner that say what it is.")
    ] = None,
    mode: Annotated[str | None, typer.Option(help="portrait, face2face or swap.")] = None,
    blend: Annotated[
        str | None, typer.Option(help="auto, feather, multiband or poisson: how a face is laid in.")
    ] = None,
    play: Annotated[str | None, typer.Option(help="loop, pingpong or hold, in mode face2face.")] = None,
    occlusion: Annotated[str | None, typer.Option(help="network or none: what stays in front in mode swap.")] = None,
    neutral: Annotated[str | None, typer.Option(help="auto, or first: the first face is the neutral one.")] = None,
    runtime: Annotated[
        str | None, typer.Option(help="Of the networks: auto, none, openvino, torch-cpu, torch-cuda, tensorrt.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings from a TOML file; options win over it.")] = None,
) -> None:
    """Render a clip: one picture for each of its frames, in order, the same every time."""
    from engine.offline import render as render_clip

    options: dict[str, Any] = {
        "size": size, "neutral": neutral, "runtime": runtime, "puppet": puppet, "mode": mode, "blend": blend, "play": play,
        "occlusion": occlusion, "badge": _shown(badge),
    }  # fmt: skip
    settings = read_config(config, {k: v for k, v in options.items() if v is not None})
    columns = (TextColumn("rendering"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("render", total=None)
        done, lost = render_clip(
            driver, output, settings, lambda count, total: progress.update(task, completed=count, total=total)
        )
    console.print(f"{output}: {done} frames, {lost} of them without a performer")


@app.command()
def doctor() -> None:
    """Say what works here, what doesn't, and what to do."""
    from engine.doctor import examine

    table = Table("", "found", "what to do", show_lines=False)
    for finding in examine():
        mark = "[green]ok[/]" if finding.good else "[yellow]--[/]"
        table.add_row(f"{mark} {finding.what}", finding.found, "" if finding.good else finding.advice)
    console.print(table)


SYSTEM_LIBRARIES = {
    "libGL.so": "libgl1",
    "libgthread": "libglib2.0-0",
    "libglib": "libglib2.0-0",
    "libEGL": "libegl1",
    "libGLES": "libgles2",
    "libgomp": "libgomp1",
}


def missing_library(error: ImportError) -> str | None:
    """What to install when a shared library is absent; None when it is another failure."""
    text = str(error)
    package = next((package for library, package in SYSTEM_LIBRARIES.items() if library in text), None)
    if package is None:
        return None
    return (
        f"the system library {text.partition(':')[0]}: not installed. On Debian and Ubuntu: sudo apt install {package}"
    )


def hush_libraries() -> None:
    """Keep what native libraries write to the error stream (MediaPipe, FFmpeg, V4L2) away from the user's terminal.

    Python's own error stream, with tracebacks and complaints, goes on. MIMICAM_NATIVE_LOG=1 shows everything.
    """
    if os.environ.get("MIMICAM_NATIVE_LOG"):
        return
    if sys.stderr is None:
        return
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def main() -> None:
    """Entry point: a MimicamError becomes one line and an exit code."""
    hush_libraries()
    try:
        app()
    except ImportError as error:
        message = missing_library(error)
        if message is None:
            raise
        complaints.print(f"mimicam: {message}", style="red", soft_wrap=True, markup=False)
        sys.exit(1)
    except MimicamError as error:
        complaints.print(f"mimicam: {error}", style="red", soft_wrap=True, markup=False)
        if isinstance(error, StageError) and error.__cause__ is not None:
            traceback.print_exception(error.__cause__)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()

"""The command line: `mimicam run | render | perform | puppet | verify | log | doctor`."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from engine import options
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


@app.command()
def run(
    camera: Annotated[
        str | None,
        typer.Option(
            help="Index, path or name; a file, folder or URL; a .performance; demo; none; or a program that sends a performance: "
            "livelink, ifacialmocap, openseeface or vmc[:HOST][:PORT], with @SENDER behind it for a phone or another computer."
        ),
    ] = None,
    puppet: options.Puppet = None,
    mode: options.Mode = None,
    blend: options.Blend = None,
    play: options.Play = None,
    occlusion: options.Occlusion = None,
    attribute: options.Attribute = None,
    sliders: Annotated[bool | None, typer.Option("--sliders", help="Sliders of the attributes in the window.")] = None,
    output: options.Outputs = None,
    badge: options.Badge = None,
    size: options.Size = None,
    rate: Annotated[float | None, typer.Option(help="Pictures a second.")] = None,
    camera_size: Annotated[
        str | None, typer.Option(help="Size to ask of the camera; refused if it gives another.")
    ] = None,
    mirror: options.Mirror = None,
    pose: options.Pose = None,
    strength: options.Strength = None,
    sound: options.Sound = None,
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
    runtime: options.Runtime = None,
    crops: options.Crops = None,
    landmarks: Annotated[
        str | None, typer.Option(help="What finds the face's points: openvino, mediapipe, torch-cuda or tensorrt.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="What draws: cpu, gpu, or emulated: a GPU's kernels on the CPU.")
    ] = None,
    neutral: options.NeutralFace = None,
    target_age: Annotated[
        float | None,
        typer.Option(help="Frame age to hold, ms, by drawing less well where time is short; 0 never does."),
    ] = None,
    seconds: options.Seconds = None,
    report: options.Report = None,
    config: options.Settings = None,
) -> None:
    """Drive a puppet live. Ctrl-C ends it, as do Esc and q in the window; n takes a new neutral, m changes
    the mode, p the puppet, b the blend."""
    from engine.run import run as run_loop

    settings = options.settings_of(
        config, strength=strength, attribute=attribute, badge=badge, camera=camera, puppet=puppet, mode=mode, blend=blend,
        play=play, occlusion=occlusion, sliders=sliders, output=output, size=size, rate=rate, camera_size=camera_size,
        mirror=mirror, pose=pose, sound=sound, sound_when=sound_when, send=send, performer=performer,
        remember=False if forget else None, runtime=runtime, crops=crops, landmarks=landmarks, device=device, neutral=neutral,
        target_age=target_age, seconds=seconds, report=report, expressions=_switched_on(keys=keys, hands=hands) or None,
    )  # fmt: skip
    run_loop(settings, console)


def _switched_on(**kinds: bool | None) -> dict[str, dict[str, bool]]:
    """What calls for expressions, as settings."""
    return {kind: {"enabled": True} for kind, wanted in kinds.items() if wanted}


@app.command()
def render(
    driver: Annotated[
        Path, typer.Option(help="Clip of the performer, a .performance, a CSV of Live Link Face, or speech.")
    ],
    output: Annotated[Path, typer.Option(help="MP4 file to write.")],
    puppet: options.Puppet = None,
    mode: options.Mode = None,
    blend: options.Blend = None,
    play: options.Play = None,
    occlusion: options.Occlusion = None,
    attribute: options.Attribute = None,
    badge: options.Badge = None,
    size: options.Size = None,
    mirror: options.Mirror = None,
    pose: options.Pose = None,
    strength: options.Strength = None,
    neutral: options.NeutralFace = None,
    runtime: options.Runtime = None,
    crops: options.Crops = None,
    config: options.Settings = None,
) -> None:
    """Render a clip: one picture for each of its frames, in order, the same every time."""
    from engine.offline import render as render_clip

    settings = options.settings_of(
        config, strength=strength, attribute=attribute, badge=badge, puppet=puppet, mode=mode, blend=blend, play=play,
        occlusion=occlusion, size=size, mirror=mirror, pose=pose, neutral=neutral, runtime=runtime, crops=crops,
    )  # fmt: skip
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

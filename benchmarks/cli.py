"""`mimicam bench ...`: measurements that print their figures and keep them by machine."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from engine.errors import ConfigError

app = typer.Typer(
    no_args_is_help=True,
    help="Measure: latency, glass, stages, kernels, device, reenactment, modes, quality, generators, expression, "
    "landmarks, mark, identity.",
)
console = Console()


@app.command()
def latency(
    seconds: Annotated[float, typer.Option(help="Length of each run.")] = 20.0,
    loads: Annotated[
        bool, typer.Option("--loads", help="Sizes, rates, a busy core and a slow output instead of ways.")
    ] = False,
    repeats: Annotated[int, typer.Option(help="Runs of each setting; --compare learns its margin from them.")] = 1,
    soak: Annotated[float | None, typer.Option(help="One long run of so many minutes instead.")] = None,
    device: Annotated[str, typer.Option(help="What draws: cpu or gpu.")] = "cpu",
    landmarks: Annotated[
        str, typer.Option(help="What finds the performer's points: openvino, mediapipe, torch-cuda or tensorrt.")
    ] = "openvino",
    runtime: Annotated[str, typer.Option(help="What executes the networks.")] = "auto",
    compare: Annotated[
        Path | None, typer.Option(help="An older report: say what got slower, and fail if anything did.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    page: Annotated[Path | None, typer.Option(help="HTML page to write.")] = None,
) -> None:
    """Frame age from the picture that went in to the picture that came out."""
    from benchmarks.latency import suite
    from benchmarks.latency.compare import slower
    from benchmarks.latency.measure import Setting
    from benchmarks.results import default_path, write_result
    from engine.config import read_config

    old = _read(compare) if compare is not None else None
    kind = "loads" if loads else "ways"
    settings = suite.loads(seconds) if loads else suite.ways(seconds)
    if soak is not None:
        kind, settings = "soak", [Setting(f"{soak:g} minutes", seconds=60 * soak, governed=True)]
    config = read_config(None, {"device": device, "runtime": runtime, "landmarks": landmarks})
    settings = [
        replace(
            s, device=config.device, landmarks=config.landmarks,
            runtime=config.runtime if s.runtime == "auto" else s.runtime,
        )
        for s in settings
    ]  # fmt: skip
    result = suite.measure_all(settings, repeats, console)
    gpu = None if config.device == "cpu" else result["machine"]["gpu"]
    write_result(report or default_path(f"latency-{kind}", gpu), result)
    if page is not None:
        from benchmarks.latency.page import page as html_page

        page.write_text(html_page(result), encoding="utf-8")
    lines = slower(old, result) if old is not None else []
    for line in lines:
        console.print(line, style="red")
    sys.exit(1 if lines else 0)


@app.command()
def glass(
    camera: Annotated[str, typer.Option(help="Index, path or name of the camera that films the screen.")] = "0",
    seconds: Annotated[float, typer.Option(help="How long to film.")] = 30.0,
    report: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """The whole delay, screen and camera included: shows a target in a window for your camera to film."""
    from benchmarks.latency.glass import run
    from benchmarks.results import default_path, write_result
    from engine.output.window import require_screen

    require_screen()
    write_result(report or default_path("glass"), run(camera, seconds, console))


def _read(path: Path) -> dict[str, object]:
    try:
        table: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            wanted=f"a report in {path}", found=str(error), advice="Give the JSON file of an earlier run."
        ) from error
    return table


@app.command()
def stages(
    frames: Annotated[int, typer.Option(help="Frames of the demo clip.")] = 280,
    report: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Time of each stage against its budget; fails on one that is over it or has none."""
    from benchmarks.results import default_path
    from benchmarks.stages import run

    sys.exit(1 if run(frames, report or default_path("stages"), console) else 0)


@app.command()
def kernels(
    report: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """The kernels, checked and then timed beside what else can do their work; on the GPU too where there is one."""
    from benchmarks.kernels import run
    from benchmarks.results import default_path, write_result

    gpu = _gpu()
    result, wrong = run(gpu, console)
    write_result(report or default_path("kernels", None if gpu is None else gpu.name), result)
    sys.exit(1 if wrong else 0)


@app.command()
def device(
    name: Annotated[str, typer.Option("--device", help="gpu, or emulated to try this out.")] = "gpu",
    size: Annotated[str, typer.Option(help="Of the pictures.")] = "1920x1080",
    rate: Annotated[float, typer.Option(help="Of several streams, pictures a second.")] = 30.0,
    streams: Annotated[int, typer.Option(help="At once, a process each; 1 leaves that out.")] = 8,
    frames: Annotated[int, typer.Option(help="Of each measurement.")] = 300,
    runtime: Annotated[str, typer.Option(help="What executes the networks.")] = "auto",
    report: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Pictures drawn on a GPU: a frame's cost there and on the CPU, and several streams at once."""
    from benchmarks.device import Setting, run
    from benchmarks.results import default_path, write_result
    from engine.config import read_config

    config = read_config(None, {"device": name, "size": size, "runtime": runtime})
    result = run(Setting(config.device, config.runtime, config.size, rate, frames), streams, console)
    write_result(report or default_path("device", result["machine"]["gpu"]), result)


def _gpu() -> Any:
    """The GPU, or None where there is none, and why."""
    from kernels.device import DeviceError
    from kernels.gpu import Gpu

    try:
        return Gpu()
    except DeviceError as error:
        console.print(f"without a GPU: {error}", markup=False)
        return None


@app.command()
def generators(
    report: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Time of the networks beside published ones: which fits into a frame here. Needs the extra 'train'."""
    from benchmarks.generators import run

    run(report, console)


@app.command()
def quality(
    data: Annotated[Path, typer.Option(help="Folder with eval/, judges/ and face_model/.")],
    sheets: Annotated[Path | None, typer.Option(help="Folder for contact sheets.")] = None,
    every: Annotated[int, typer.Option(help="Only every n-th portrait on the sheets.")] = 6,
    runtime: Annotated[str, typer.Option(help="What executes the networks.")] = "auto",
    crops: Annotated[str, typer.Option(help="Size of the networks' crops: auto, small or large.")] = "auto",
    report: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """What the generator adds to the warp: likeness, sharpness, flicker, and pictures to look at."""
    from benchmarks.quality import run
    from benchmarks.results import default_path
    from engine.config import read_config
    from engine.render.generator import load_networks, scale_of

    config = read_config(None, {"runtime": runtime, "crops": crops})
    networks = load_networks(config.runtime, scale=scale_of(config.crops, config.runtime))
    if networks is None:
        raise ConfigError(
            wanted="networks to measure",
            found="none that run here",
            advice="`mimicam doctor` says why; pip install openvino.",
        )
    run(data, every, sheets, networks, report or default_path("quality"), console)


@app.command()
def large_faces(
    data: Annotated[Path, typer.Option(help="Folder with train/ and portraits_hi/.")],
    sheets: Annotated[Path | None, typer.Option(help="Folder for contact sheets.")] = None,
    report: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """What large crops add on large faces: likeness and sharpness, on portraits held out of training."""
    from benchmarks.large_faces import run
    from benchmarks.results import default_path

    run(data, sheets, report or default_path("large-faces"), console)


@app.command()
def reenactment(
    data: Annotated[Path, typer.Option(help="Folder with eval/, judges/ and face_model/.")],
    every: Annotated[int, typer.Option(help="Only every n-th portrait, for a quick look.")] = 1,
    runtime: Annotated[str, typer.Option(help="What executes the networks; none is the warp alone.")] = "auto",
    report: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Does the puppet do what the performer does? Judged by a network that the product doesn't use."""
    from benchmarks.reenactment import run
    from benchmarks.results import default_path
    from engine.config import read_config

    run(data, every, read_config(None, {"runtime": runtime}).runtime, report or default_path("reenactment"), console)


@app.command()
def modes(
    data: Annotated[Path, typer.Option(help="Folder with eval/, judges/ and face_model/.")],
    runtime: Annotated[str, typer.Option(help="What executes the generator's networks.")] = "auto",
    report: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Clips that drive themselves and each other, faces swapped on to themselves, things in front of faces."""
    from benchmarks.modes import run
    from benchmarks.results import default_path
    from engine.config import read_config

    run(data, read_config(None, {"runtime": runtime}).runtime, report or default_path("modes"), console)


@app.command()
def expression(
    data: Annotated[Path, typer.Option(help="Folder with eval/, judges/ and face_model/.")],
    sheets: Annotated[Path | None, typer.Option(help="Folder for sheets: each shape on each puppet.")] = None,
    report: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """How well the face model says what faces do: rebuilt landmarks, jitter, blinks, identity."""
    from benchmarks.expression import run
    from benchmarks.results import default_path

    run(data, sheets, report or default_path("expression"), console)


@app.command()
def mark(
    pieces: Annotated[
        int, typer.Option(help="Pieces of ten seconds for each scene and channel; 0 leaves them out.")
    ] = 3,
    unmarked: Annotated[
        int, typer.Option(help="Stills without a mark, for which --data is needed; 0 leaves them out.")
    ] = 0,
    data: Annotated[Path | None, typer.Option(help="Folder with train/, eval/ and portraits_hi/.")] = None,
    report: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    go_on: Annotated[
        bool, typer.Option("--go-on", help="Add pieces to those that the report has, until there are so many.")
    ] = False,
) -> None:
    """Is the mark found after codecs, sizes and crops, never where there is none, and is it faint and quick. Keeps 6 GB of
    pictures in the temporary folder meanwhile."""
    from benchmarks.mark.suite import run
    from benchmarks.results import default_path

    if unmarked and data is None:
        raise ConfigError(wanted="pictures without a mark", found="no --data", advice="Name the data folder.")
    name = "mark" if pieces else "mark-unmarked"
    run(pieces, unmarked, data, report or default_path(name), go_on, console)


@app.command()
def landmarks(
    data: Annotated[Path | None, typer.Option(help="Folder with eval/, for its clips beside the demo clip.")] = None,
    frames: Annotated[int, typer.Option(help="Of each clip, at most.")] = 250,
    report: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """The performer's landmarks by the network itself and by MediaPipe: how far apart, and what each takes."""
    from benchmarks.landmarks import run
    from benchmarks.results import default_path, write_result

    write_result(report or default_path("landmarks"), run(data, frames, console))


@app.command()
def identity(
    data: Annotated[Path, typer.Option(help="Folder with train/ and eval/.")],
    report: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """How often consent self takes one person for two, or two for one. Needs the extra 'self'."""
    from benchmarks.identity import measure
    from benchmarks.identity import report as figures
    from benchmarks.results import default_path, write_result

    found = figures(measure(data))
    write_result(report or default_path("identity"), found)
    console.print_json(data=found)

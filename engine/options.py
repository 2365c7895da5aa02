"""Options that several commands have, each told once, and what makes settings of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from engine.config import RunConfig, read_config
from engine.errors import ConfigError

Puppet = Annotated[str | None, typer.Option(help="Name of a puppet (mimicam puppet list), or a path.")]
Mode = Annotated[
    str | None, typer.Option(help="portrait: its own picture; face2face: its clip; swap: its face on the performer's.")
]
Blend = Annotated[str | None, typer.Option(help="auto, feather, multiband or poisson: how a face is laid in.")]
Play = Annotated[
    str | None, typer.Option(help="loop, pingpong or hold: what a clip does at its end, in mode face2face.")
]
Occlusion = Annotated[
    str | None, typer.Option(help="network, hands (that and MediaPipe's) or none: what stays in front in mode swap.")
]
Attribute = Annotated[
    list[str] | None,
    typer.Option(help="smile, brows, lids, jaw, lips=VALUE from -1 to 1, gaze from 0 to 1, on top of the performance."),
]
Outputs = Annotated[
    list[str] | None, typer.Option(help="virtual[:DEVICE], window, file:OUT.mp4, null. May be given several times.")
]
Badge = Annotated[bool | None, typer.Option("--badge/--no-badge", help="The words in a corner that say what it is.")]
Size = Annotated[str | None, typer.Option(help="Size of the outputs, e.g. 1280x720.")]
Mirror = Annotated[bool | None, typer.Option("--mirror", help="The puppet is the performer's mirror image.")]
Pose = Annotated[
    str | None,
    typer.Option(help="relative: the head turns by what the performer's turned; absolute: to where it is."),
]
Strength = Annotated[
    list[str] | None,
    typer.Option(help="head, mouth, eyes, gaze or brows=FACTOR; 1 is as performed. May be given several times."),
]
Sound = Annotated[
    str | None, typer.Option(help="mic, mic:NAME or a sound file: drives the mouth while no face is seen.")
]
Runtime = Annotated[
    str | None, typer.Option(help="Of the networks: auto, none, openvino, torch-cpu, torch-cuda, tensorrt.")
]
Crops = Annotated[
    str | None, typer.Option(help="That networks redraw: small, large (sharper), or auto: large if they work on a GPU.")
]
NeutralFace = Annotated[str | None, typer.Option(help="auto, or first: the first face is the neutral one.")]
Seconds = Annotated[float | None, typer.Option(help="Stop after so long.")]
Report = Annotated[Path | None, typer.Option(help="Write the report to this JSON file.")]
Settings = Annotated[Path | None, typer.Option(help="Settings from a TOML file; options win over it.")]


def settings_of(
    path: Path | None,
    *,
    strength: list[str] | None = None,
    attribute: list[str] | None = None,
    badge: bool | None = None,
    **options: Any,
) -> RunConfig:
    """Settings of the file, with the options that were given on top; `options` go by the settings' names. ConfigError names what
    isn't understood."""
    options |= {
        "style": _pairs(strength, "mouth=1.2") or None,
        "attributes": _pairs(attribute, "smile=0.3") or None,
        "badge": None if badge is None else {"shown": badge},
    }
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    return read_config(path, {name: value for name, value in given.items() if value is not None})


def _pairs(given: list[str] | None, example: str) -> dict[str, str]:
    """`mouth=1.2` and so on as settings."""
    pairs = {text: text.partition("=") for text in given or []}
    wrong = next((text for text, (_, equals, _) in pairs.items() if not equals), None)
    if wrong is not None:
        raise ConfigError(wanted="NAME=VALUE", found=f"'{wrong}'", advice=f"For instance {example}.")
    return {name: value for name, _, value in pairs.values()}

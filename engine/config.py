"""What a run is told, from the command line and from a TOML file. Values only: nothing is opened here."""

from __future__ import annotations

import tomllib
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from engine.drive.bindings import Bindings
from engine.errors import ConfigError
from engine.face.style import Style
from engine.machine import cores
from engine.names import (
    BlendName,
    Corner,
    CropsName,
    DeviceName,
    LandmarkName,
    ModeName,
    OcclusionKind,
    Play,
    SliderName,
)
from models.runtimes import RuntimeName

TURNS_UP_TO = 2  # cores


def _parse_size(value: Any) -> Any:
    """`1280x720` as well as `[1280, 720]`."""
    if isinstance(value, str):
        width, _, height = value.lower().partition("x")
        return (width.strip(), height.strip())
    return value


Width = Annotated[int, Field(ge=64, le=7680)]
Height = Annotated[int, Field(ge=64, le=4320)]
Size = Annotated[tuple[Width, Height], BeforeValidator(_parse_size)]


Strength = Annotated[float, Field(ge=0, le=3)]


class StyleConfig(BaseModel):
    """How much of the performance a puppet shows; 1 is as performed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: Strength = 1.0
    mouth: Strength = 1.0
    eyes: Strength = Field(default=1.0, description="lids")
    gaze: Strength = 1.0
    brows: Strength = 1.0
    limit_deg: float | None = Field(default=None, gt=0, le=40, description="no head angle goes further than this")

    def style(self) -> Style:
        """What acts on performances."""
        return Style(**self.model_dump())


BADGE_TEXT = "AI puppet"


class BadgeConfig(BaseModel):
    """The words in a corner that say what the picture is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shown: bool = Field(default=True, description="off only for puppets of oneself, synthetic or in the public domain")
    text: str = Field(
        default=BADGE_TEXT,
        pattern=r"^[!-~][ -~]{0,39}$",
        description="plain letters; a named person's stays as it is",
    )
    corner: Corner = "bottom-right"


class CredentialsConfig(BaseModel):
    """Who signs recordings; without a certificate this installation does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate: Path | None = Field(default=None, description="PEM file: the signer's certificate and those above it")
    key: Path | None = Field(default=None, description="PEM file: its private key")

    @model_validator(mode="after")
    def _both_or_none(self) -> CredentialsConfig:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("'certificate' and 'key' go together")
        return self


class RunConfig(BaseModel):
    """Settings of `mimicam run`; a TOML file has the same names as keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    camera: str = Field(
        default="0",
        description="index, path or name of a camera; a file, folder or URL; a .performance; demo; synthetic:SCRIPT; none; or "
        "another program: livelink, ifacialmocap, openseeface, vmc, each [:HOST][:PORT][@SENDER]",
    )
    camera_size: Size | None = Field(default=None, description="width and height to ask of a camera, px")
    mirror: bool = Field(default=False, description="the puppet is your mirror image")
    puppet: str = Field(default="bruno", description="a shipped puppet's name, or a path")
    mode: ModeName = Field(
        default="portrait", description="portrait: its own picture; face2face: its clip; swap: its face on yours"
    )
    blend: Literal["auto"] | BlendName = Field(
        default="auto", description="how a face is laid into its canvas; auto is what suits the mode"
    )
    play: Play = Field(default="loop", description="what a clip does at its end, in mode face2face")
    occlusion: OcclusionKind = Field(
        default="network",
        description="what sees things in front of a face, in mode swap: a network, that with MediaPipe's hands, or none",
    )
    attributes: dict[SliderName, Annotated[float, Field(ge=-1, le=1)]] = Field(
        default_factory=dict, description="sliders on top of the performance, from -1 to 1"
    )
    sliders: bool = Field(default=False, description="show the sliders in the window")
    output: tuple[str, ...] = Field(default=("virtual",), min_length=1)
    badge: BadgeConfig = BadgeConfig()
    credentials: CredentialsConfig = CredentialsConfig()
    size: Size = Field(default=(1280, 720), description="width and height of the outputs, px")
    rate: float = Field(default=30.0, ge=1, le=240, description="pictures a second")
    runtime: Literal["auto", "none"] | RuntimeName = Field(
        default="auto", description="what executes the networks; none leaves the generator off"
    )
    crops: CropsName = Field(
        default="auto",
        description="of mouth and eyes, that networks redraw: small, large (sharper where a face is large, in 2 to 5 times the "
        "time on a CPU), or auto: large where networks work on a GPU",
    )
    landmarks: LandmarkName = Field(
        default="openvino", description="what runs MediaPipe's network for the performer's face, or mediapipe itself"
    )
    device: DeviceName = Field(
        default="cpu",
        description="what draws: cpu; gpu, for mode portrait; or emulated, a GPU's kernels on the CPU, slowly",
    )
    pose: Literal["relative", "absolute"] = Field(
        default="relative", description="the head turns by what yours turned, or to where yours is before the camera"
    )
    style: StyleConfig = StyleConfig()
    expressions: Bindings = Bindings()
    sound: str | None = Field(default=None, description="mic, mic:NAME or a sound file: drives the mouth")
    sound_when: Literal["lost", "always"] = Field(
        default="lost", description="sound drives the mouth while no face is seen, or always (a covered mouth)"
    )
    send: tuple[str, ...] = Field(
        default=(), description="protocols to tell the performance by, each NAME[:HOST][:PORT]"
    )
    performer: str = Field(default="me", min_length=1, description="whose calibration to remember")
    remember: bool = Field(default=True, description="keep the calibration for the next run with this camera")
    neutral: Literal["auto", "first"] = Field(default="auto", description="how the performer's neutral face is found")
    target_age: float | None = Field(
        default=None,
        ge=0,
        description="frame age to hold by drawing less well where time is short, ms; else a period and a half, one period where "
        "tracking and drawing take turns; 0 never does",
    )
    seconds: float | None = Field(default=None, gt=0)
    report: Path | None = None

    @property
    def in_turn(self) -> bool:
        """Whether a frame is tracked only while none is drawn: with few cores, where no GPU draws (docs/decisions/024)."""
        return cores() <= TURNS_UP_TO and self.device != "gpu"

    @property
    def target_age_ms(self) -> float:
        """The governor's target; 0 is none."""
        periods = 1.0 if self.in_turn else 1.5
        return 1e3 * periods / self.rate if self.target_age is None else self.target_age


def read_config(path: Path | None, given: dict[str, Any]) -> RunConfig:
    """Settings of the file, with those `given` on the command line on top. ConfigError names what isn't understood."""
    table: dict[str, Any] = {}
    if path is not None:
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(
                wanted=f"settings in {path}", found=str(error), advice="It must be a TOML file."
            ) from error
    try:
        settings = {key.replace("-", "_"): value for key, value in table.items()}
        return RunConfig.model_validate(_merged(settings, given))
    except ValidationError as error:
        raise _explained(error.errors()[0], _merged(settings, given)) from error


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Two tables of settings as one; those of `above` win, tables in them are merged likewise."""
    result = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both else value
    return result


def _explained(error: Any, settings: dict[str, Any]) -> ConfigError:
    """What pydantic found, in one line."""
    path = list(takewhile(lambda part: isinstance(part, str), error["loc"]))
    key = ".".join(path)
    if error["type"] == "extra_forbidden":
        known = ", ".join(sorted(_model_at(path[:-1]).model_fields))
        return ConfigError(wanted="a setting that mimicam knows", found=f"'{key}'", advice=f"Known are: {known}.")
    found: Any = settings
    for part in path:
        found = found.get(part) if isinstance(found, dict) else found
    message = error["msg"].removeprefix("Value error, ")
    return ConfigError(wanted=f"a usable value for '{key}'", found=repr(found), advice=f"{message}.")


def _model_at(path: list[str]) -> type[BaseModel]:
    """The settings of a table of the file."""
    model: type[BaseModel] = RunConfig
    for name in path:
        field = model.model_fields.get(name)
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            break
        model = field.annotation
    return model

"""What a run is told, from the command line and from a TOML file. Values only: nothing is opened here."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from engine.errors import ConfigError
from models.runtimes import RuntimeName


def _parse_size(value: Any) -> Any:
    """`1280x720` as well as `[1280, 720]`."""
    if isinstance(value, str):
        width, _, height = value.lower().partition("x")
        return (width.strip(), height.strip())
    return value


Width = Annotated[int, Field(ge=64, le=7680)]
Height = Annotated[int, Field(ge=64, le=4320)]
Size = Annotated[tuple[Width, Height], BeforeValidator(_parse_size)]


class RunConfig(BaseModel):
    """Settings of `mimicam run`; a TOML file has the same names as keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    camera: str = Field(
        default="0", description="index, path or name of a camera; a file, folder or URL; demo; synthetic:SCRIPT"
    )
    camera_size: Size | None = Field(default=None, description="width and height to ask of a camera, px")
    mirror: bool = Field(default=False, description="flip the camera picture, as a mirror does")
    puppet: str = Field(default="bruno", description="a shipped puppet's name, or a path")
    mode: Literal["portrait"] = "portrait"
    output: tuple[str, ...] = Field(default=("virtual",), min_length=1)
    size: Size = Field(default=(1280, 720), description="width and height of the outputs, px")
    rate: float = Field(default=30.0, ge=1, le=240, description="pictures a second")
    runtime: Literal["auto", "none"] | RuntimeName = Field(
        default="auto", description="what executes the networks; none leaves the generator off"
    )
    neutral: Literal["auto", "first"] = Field(default="auto", description="how the performer's neutral face is found")
    target_age: float | None = Field(
        default=None,
        ge=0,
        description="frame age to hold by drawing less well where time is short, ms; one and a half periods; 0 never does",
    )
    seconds: float | None = Field(default=None, gt=0)
    report: Path | None = None

    @property
    def target_age_ms(self) -> float:
        """The governor's target; 0 is none."""
        return 1500 / self.rate if self.target_age is None else self.target_age


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
        return RunConfig.model_validate(settings | given)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            known = ", ".join(sorted(RunConfig.model_fields))
            raise ConfigError(
                wanted="a setting that mimicam knows", found=f"'{key}'", advice=f"Known are: {known}."
            ) from error
        raise ConfigError(
            wanted=f"a usable value for '{key}'", found=repr((settings | given).get(key)), advice=f"{first['msg']}."
        ) from error

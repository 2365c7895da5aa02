"""From the words after --output to sinks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from engine.errors import ConfigError
from engine.output.null import NullSink
from engine.output.stage import Sink
from engine.output.video_file import VideoFileSink
from engine.output.virtual_camera import VirtualCameraSink
from engine.output.window import Slider, WindowSink
from engine.puppet.consent import Outlet

KINDS = ("virtual", "virtual:DEVICE", "window", "file:OUT.mp4", "null")


def open_sinks(
    specs: Sequence[str],
    size_px: tuple[int, int],
    rate_hz: float,
    keys: dict[str, Callable[[], None]],
    sliders: Sequence[Slider] = (),
) -> list[Sink]:
    """All sinks, opened; when one can't be, those before it are closed and its error is raised."""
    doubled = [spec for spec in specs if specs.count(spec) > 1]
    if doubled:
        raise ConfigError(wanted="each output once", found=f"'{doubled[0]}' twice", advice="Leave one of them out.")
    sinks: list[Sink] = []
    try:
        for spec in specs:
            sinks += [WindowSink(keys, sliders) if spec == "window" else _open_sink(spec, size_px, rate_hz)]
    except BaseException:
        for sink in sinks:
            sink.close()
        raise
    return sinks


def outlets_of(specs: Sequence[str]) -> set[Outlet]:
    """What the words after --output mean for a consent: pictures that somebody sees live, or recordings."""
    kinds = {spec.partition(":")[0] for spec in specs} - {"null"}
    return {"recording" if kind == "file" else "live" for kind in kinds}


def recordings_in(specs: Sequence[str]) -> list[Path]:
    """Files that the words after --output name."""
    return [Path(argument) for kind, _, argument in (spec.partition(":") for spec in specs) if kind == "file"]


def _open_sink(spec: str, size_px: tuple[int, int], rate_hz: float) -> Sink:
    kind, _, argument = spec.partition(":")
    if kind == "null" and not argument:
        return NullSink()
    if kind == "file" and argument:
        return VideoFileSink(Path(argument), rate_hz)
    if kind == "virtual":
        return VirtualCameraSink(size_px, rate_hz, argument or None)
    raise ConfigError(
        wanted="an output that mimicam knows", found=f"'{spec}'", advice=f"Use one of: {', '.join(KINDS)}."
    )

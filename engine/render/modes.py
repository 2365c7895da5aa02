"""The modes by name. Two choices make a mode: which canvas, and whose head pose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, get_args

from engine.names import BlendName, ModeName, Play
from engine.puppet.format import Puppet
from engine.render.clip_view import ClipView
from engine.render.device_portrait import DevicePortraitView
from engine.render.generator import Networks
from engine.render.occlusion import Occlusion
from engine.render.portrait_view import PortraitView
from engine.render.swap_view import SwapView
from engine.render.view import View
from kernels.device import Device, DeviceError
from models.runtimes import Network


@dataclass(frozen=True, slots=True)
class Stage:
    """What views are made for: size, networks, and how they shall look."""

    size_px: tuple[int, int]  # width, height of the output
    networks: Networks | None = None  # of the generator, for what the CPU draws
    blend: BlendName | None = None  # None: what suits the mode
    play: Play = "loop"
    absolute_pose: bool = False
    mirrored: bool = False
    occlusion: Network | None = None  # sees what is in front of a face
    device: Device | None = None  # where pixels are drawn; None is the CPU
    device_networks: Networks | None = None  # of the generator, for what the device draws
    tell: Callable[[str], object] = lambda text: None  # who is told what can't be done there


def _portrait(puppet: Puppet, stage: Stage) -> View:
    view = PortraitView(
        puppet, *stage.size_px, absolute_pose=stage.absolute_pose, networks=stage.networks,
        blend=stage.blend or "feather",
    )  # fmt: skip
    return view if stage.device is None else _on_device(view, stage.device, stage)


def _on_device(view: PortraitView, device: Device, stage: Stage) -> View:
    """The view on the device, or as it is, and told why, where that can't be."""
    if view.photographs > 1:
        stage.tell("drawing on the CPU: a puppet of several photographs can't be drawn on a GPU yet")
        return view
    try:
        return DevicePortraitView(view, device, stage.device_networks, stage.tell)
    except DeviceError as error:
        stage.tell(f"drawing on the CPU: {error}")
        return view


def _tell_of_cpu(stage: Stage) -> None:
    if stage.device is not None:
        stage.tell("drawing on the CPU: only mode portrait can be drawn on a GPU yet")


def _face2face(puppet: Puppet, stage: Stage) -> View:
    _tell_of_cpu(stage)
    return ClipView(puppet, *stage.size_px, play=stage.play, networks=stage.networks, blend=stage.blend or "feather")


def _swap(puppet: Puppet, stage: Stage) -> View:
    _tell_of_cpu(stage)
    occlusion = None if stage.occlusion is None else Occlusion(stage.occlusion)
    return SwapView(
        puppet, *stage.size_px, networks=stage.networks, occlusion=occlusion, mirrored=stage.mirrored,
        blend=stage.blend or "feather",
    )  # fmt: skip


MODES: Final[dict[ModeName, Callable[[Puppet, Stage], View]]] = {
    "portrait": _portrait,
    "face2face": _face2face,
    "swap": _swap,
}
assert tuple(MODES) == get_args(ModeName)


def open_view(mode: ModeName, puppet: Puppet, stage: Stage) -> View:
    """A puppet in a mode. PuppetError where the puppet lacks what the mode needs."""
    return MODES[mode](puppet, stage)

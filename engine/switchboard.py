"""Mode, puppet and blend, chosen at the start and changed while a run goes on."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from engine.config import RunConfig
from engine.errors import MimicamError
from engine.names import BlendName, ModeName
from engine.puppet.format import load_puppet
from engine.puppet.shipped import find_puppet, known_puppets
from engine.render.blends import BLENDS
from engine.render.generator import load_networks
from engine.render.modes import MODES, Stage, open_view
from engine.render.occlusion import load_occlusion
from engine.render.scene import Scene
from engine.render.view import View

T = TypeVar("T")
Tell = Callable[[str], object]


class Switchboard:
    """Opens views and hands them to the scene. `ask_...` may be called from any thread; the rest belongs to the main one."""

    def __init__(self, config: RunConfig, tell: Tell = lambda text: None) -> None:
        """Load networks and the first puppet. MimicamError for what can't be had."""
        self._config, self._tell = config, tell
        self._mode: ModeName = config.mode
        self._puppet = find_puppet(config.puppet)
        self._asked: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        networks = load_networks(config.runtime, tell)
        blend = None if config.blend == "auto" else config.blend
        self._stage = Stage(config.size, networks, blend, config.play, config.pose == "absolute", config.mirror)
        self.scene = Scene(self._open(self._mode, self._puppet), "none" if networks is None else str(networks))

    def ask_mode(self) -> None:
        """The next mode that this puppet has."""
        self._asked.put(self._next_mode)

    def ask_puppet(self) -> None:
        """The next puppet by name that has this mode."""
        self._asked.put(self._next_puppet)

    def ask_blend(self) -> None:
        """The next way to lay a face into its canvas."""
        self._asked.put(self._next_blend)

    def serve(self) -> None:
        """Do what was asked for since; what can't be done is told, and leaves things as they are."""
        while not self._asked.empty():
            self._asked.get()()

    def _open(self, mode: ModeName, puppet: Path) -> View:
        if mode == "swap" and self._stage.occlusion is None and self._config.occlusion != "none":
            self._stage = replace(self._stage, occlusion=load_occlusion(self._config.runtime, self._tell))
        return open_view(mode, load_puppet(puppet), self._stage)

    def _next_mode(self) -> None:
        for mode in _after(list(MODES), self._mode):
            if self._try(mode, self._puppet):
                return

    def _next_puppet(self) -> None:
        for puppet in _after(known_puppets(), self._puppet):
            if self._try(self._mode, puppet):
                return

    def _next_blend(self) -> None:
        wanted: BlendName = _after(list(BLENDS), self.scene.view.blend)[0]
        self.scene.set_blend(wanted)
        self._tell(f"blend: {wanted}")

    def _try(self, mode: ModeName, puppet: Path) -> bool:
        try:
            view = self._open(mode, puppet)
        except MimicamError as error:
            self._tell(f"not {mode} with {puppet.stem}: {error}")
            return False
        self._mode, self._puppet = mode, puppet
        self.scene.show(view)
        self._tell(f"{mode} with {puppet.stem}")
        return True


def _after(values: list[T], value: T) -> list[T]:
    """The values that follow on one, around to those before it; itself left out."""
    at = values.index(value) if value in values else -1
    return values[at + 1 :] + values[: max(at, 0)]

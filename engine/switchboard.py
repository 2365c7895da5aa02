"""Mode, puppet and blend, chosen at the start and changed while a run goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from engine.config import BADGE_TEXT, RunConfig
from engine.errors import ConfigError
from engine.names import BlendName, ModeName
from engine.output.open import outlets_of
from engine.protocols.table import is_protocol
from engine.puppet.consent import WITHOUT_BADGE
from engine.puppet.format import Puppet, load_puppet
from engine.puppet.shipped import find_puppet, known_puppets
from engine.render.blends import BLENDS
from engine.render.device import open_device
from engine.render.generator import ON_GPU, load_networks, networks_on, scale_of
from engine.render.modes import MODES, Stage, open_view
from engine.render.occlusion import load_occlusion
from engine.render.scene import Scene
from engine.render.view import View
from engine.trust.badge import Badge
from engine.trust.credentials import Certificate, Credentials, Ingredient, own_certificate
from engine.trust.journal import Journal
from engine.trust.keys import mark_key
from engine.trust.seal import Seal

T = TypeVar("T")
Tell = Callable[[str], object]


class Switchboard:
    """Opens views and hands them to the scene. `ask_...` may be called from any thread; the rest belongs to the main one."""

    def __init__(self, config: RunConfig, tell: Tell = lambda text: None, journal: Journal | None = None) -> None:
        """Load networks and the first puppet. MimicamError for what can't be had. Whatever leaves mimicam has a `journal`."""
        self._config, self._tell, self._journal = config, tell, journal
        self._key = mark_key()
        chain, key = config.credentials.certificate, config.credentials.key
        self._certificate = None if chain is None or key is None else Certificate.read(chain, key)
        self._worn: list[Ingredient] = []
        self._mode: ModeName = config.mode
        self._puppet = self._first = find_puppet(config.puppet)
        self._asked: dict[str, Callable[[], None]] = {}  # one of a kind: a key that is held asks thirty times a second
        networks = load_networks(config.runtime, tell, scale_of(config.crops, config.runtime))
        there = networks_on(config.device, config.runtime, networks, tell, scale_of(config.crops, ON_GPU[0]))
        blend = None if config.blend == "auto" else config.blend
        self._stage = Stage(
            config.size, networks, blend, config.play, config.pose == "absolute", config.mirror,
            device=open_device(config.device), device_networks=there, tell=tell,
        )  # fmt: skip
        view, seal = self._open(self._mode, self._puppet)
        here, elsewhere = ("none" if n is None else str(n) for n in (networks, there))
        self.scene = Scene(view, here, seal, elsewhere)

    def ask_mode(self) -> None:
        """The next mode that this puppet has."""
        self._asked.setdefault("mode", self._next_mode)

    def ask_puppet(self) -> None:
        """The next puppet by name that has this mode."""
        self._asked.setdefault("puppet", self._next_puppet)

    def ask_blend(self) -> None:
        """The next way to lay a face into its canvas."""
        self._asked.setdefault("blend", self._next_blend)

    def serve(self) -> None:
        """Do one thing of those that were asked for; what can't be done is told, and leaves things as they are."""
        kind = next(iter(list(self._asked)), None)  # others may ask meanwhile
        if kind is None:
            return
        try:
            self._asked[kind]()
        finally:
            del self._asked[kind]  # not before: what was asked for meanwhile was asked of what is gone

    def credentials(self, *others: Ingredient) -> Credentials:
        """What a recording says of itself: all puppets that were shown until now, and what else it was made of."""
        return Credentials(self._certificate or own_certificate(), (*self._worn, *others))

    def _open(self, mode: ModeName, path: Path) -> tuple[View, Seal]:
        puppet = load_puppet(path)
        puppet.consent.require_use(mode, outlets_of(self._config.output))
        if not self._config.badge.shown:
            puppet.consent.require_badge_may_go()
        view = self._view(mode, puppet)
        assert puppet.signed is not None  # as every one that is read from a file
        worn = Ingredient("puppet", puppet.name, puppet.signed.sha256)
        if self._journal is not None:
            self._journal.add(
                "shown", puppet=puppet.name, sha256=worn.sha256, maker=puppet.signed.maker, consent=puppet.consent.kind,
                mode=mode, outputs=list(self._config.output),
            )  # fmt: skip
        if worn not in self._worn:
            self._worn.append(worn)
        badge = self._config.badge
        # a named person's can't be worded away
        text = badge.text if puppet.consent.kind in WITHOUT_BADGE else BADGE_TEXT
        drawn = Badge.of(text, badge.corner, *self._config.size) if badge.shown else None
        return view, Seal.of(self._key, puppet.signed.number, *self._config.size, drawn)

    def _view(self, mode: ModeName, puppet: Puppet) -> View:
        if mode == "swap" and self._stage.occlusion is None and self._config.occlusion != "none":
            self._stage = replace(self._stage, occlusion=load_occlusion(self._config.runtime, self._tell))
        return open_view(mode, puppet, self._stage)

    def _next_mode(self) -> None:
        for mode in _after(list(MODES), self._mode):
            if self._try(mode, self._puppet):
                return

    def _next_puppet(self) -> None:
        known = known_puppets()
        every = known if self._first in known else [self._first, *known]
        for puppet in _after(every, self._puppet):
            if self._try(self._mode, puppet):
                return

    def _next_blend(self) -> None:
        wanted: BlendName = _after(list(BLENDS), self.scene.blend)[0]
        self._stage = replace(self._stage, blend=wanted)  # of views to come
        self.scene.set_blend(wanted)
        self._tell(f"blend: {wanted}")

    def _try(self, mode: ModeName, puppet: Path) -> bool:
        try:
            view, seal = self._open(mode, puppet)
        except Exception as error:  # a puppet that can't be shown must not end the run of the one that is
            self._tell(f"not {mode} with {puppet.stem}: {error}")
            return False
        self._mode, self._puppet = mode, puppet
        self.scene.show(view, seal)
        self._tell(f"{mode} with {puppet.stem}")
        return True


def refuse_swap_without_pictures(config: RunConfig, performed: bool) -> None:
    """ConfigError where mode swap has nobody to put a face on: `performed` is a recorded performance."""
    if config.mode == "swap" and (performed or config.camera == "none" or is_protocol(config.camera)):
        raise ConfigError(
            wanted="pictures of a performer to put the puppet's face on, in mode swap",
            found="a performance" if performed else f"--camera {config.camera}, which has none",
            advice="Use a camera, a clip or demo; or mode portrait or face2face.",
        )


def _after(values: list[T], value: T) -> list[T]:
    """The values that follow on one, around to those before it; itself left out."""
    at = values.index(value) if value in values else -1
    return values[at + 1 :] + values[: max(at, 0)]

"""How one mode, puppet or blend follows on another while a run goes on."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faces import Picture, apart, size

from engine.config import RunConfig
from engine.errors import PuppetError
from engine.face.performance import Performance
from engine.live.frame import Frame
from engine.puppet.format import Puppet
from engine.puppet.shipped import known_puppets
from engine.render.clip_view import ClipView
from engine.render.portrait_view import PortraitView
from engine.render.quality import LADDER
from engine.render.scene import FADE_S as CHANGE_S
from engine.render.scene import Scene
from engine.render.swap_view import SwapView
from engine.render.view import Shown, View
from engine.switchboard import Switchboard
from engine.track.tracker import Tracked


@pytest.mark.parametrize(
    ("old", "new"), [("portrait", "swap"), ("swap", "portrait"), ("portrait", "face2face"), ("face2face", "swap")]
)
def test_a_change_of_mode_fades_without_a_black_picture(
    old: str, new: str, bruno: Puppet, clip_puppet: Puppet, dora: Tracked
) -> None:
    def opened(mode: str) -> View:
        if mode == "face2face":
            return ClipView(clip_puppet, *size(dora))
        return SwapView(bruno, *size(dora)) if mode == "swap" else PortraitView(bruno, *size(dora))

    def at(step: int) -> Picture:
        return scene(replace(dora, frame=Frame(dora.frame.bgr, step, step * CHANGE_S / 5))).frame.bgr

    scene = Scene(opened(old))
    first = at(0)
    scene.show(opened(new))
    pictures = [first, *(at(step) for step in range(1, 8))]
    last = pictures[-1]
    assert min(float(p.mean()) for p in pictures) >= min(float(first.mean()), float(last.mean())) - 2
    steps = [float(apart(a, b).mean()) for a, b in pairwise(pictures)]
    assert max(steps) < 0.5 * float(apart(first, last).mean())


def test_a_change_of_puppet_fades_without_a_black_picture(bruno: Puppet, ada: Puppet, dora: Tracked) -> None:
    views = [PortraitView(p, *size(dora)) for p in (bruno, ada)]
    scene = Scene(views[0])
    old = scene(replace(dora, frame=Frame(dora.frame.bgr, 0, 0.0))).frame.bgr
    scene.show(views[1])
    pictures = [
        scene(replace(dora, frame=Frame(dora.frame.bgr, step, step * CHANGE_S / 5))).frame.bgr for step in range(1, 8)
    ]
    new = views[1].draw(Shown(Performance.neutral(), 0.0), LADDER[0])
    assert np.array_equal(pictures[0], old)
    assert np.array_equal(pictures[-1], new)
    levels = [float(p.mean()) for p in (old, *pictures)]
    assert min(levels) >= min(levels[0], levels[-1]) - 1
    away = [float(apart(picture, new).mean()) for picture in pictures]
    assert away == sorted(away, reverse=True)


def test_a_switchboard_goes_through_modes_puppets_and_blends() -> None:
    told: list[str] = []
    board = Switchboard(RunConfig(puppet="bruno", size=(160, 90), runtime="none", occlusion="none"), told.append)
    board.ask_mode()
    board.ask_puppet()
    board.ask_blend()
    board.ask_puppet()  # a key that is held
    assert isinstance(board.scene.view, PortraitView)  # nothing happens before it is served
    for _ in range(3):
        board.serve()  # one at a time: between them a run may end
    names = [path.stem for path in known_puppets()]
    following = names[(names.index("bruno") + 1) % len(names)]
    assert told[0].startswith("not face2face with bruno: a clip in the puppet bruno")
    assert told[1:3] == ["swap with bruno", f"swap with {following}"]
    assert told[3].startswith("blend: ")
    board.serve()
    assert len(told) == 4
    chosen = board.scene.blend
    assert told[3] == f"blend: {chosen}"
    board.ask_puppet()
    board.serve()
    assert board.scene.blend == chosen  # of what comes after, too


def test_a_puppet_given_by_path_comes_around_again(tmp_path: Path) -> None:
    path = tmp_path / "mine.puppet"
    path.write_bytes(known_puppets()[0].read_bytes())
    told: list[str] = []
    board = Switchboard(RunConfig(puppet=str(path), size=(160, 90), runtime="none"), told.append)
    for _ in range(len(known_puppets()) + 1):
        board.ask_puppet()
        board.serve()
    assert told == [f"portrait with {name.stem}" for name in (*known_puppets(), path)]


def test_settings_reach_the_views() -> None:
    quiet: dict[str, Any] = {"puppet": "bruno", "size": (160, 90), "runtime": "none", "occlusion": "none"}
    assert Switchboard(RunConfig(mode="swap", mirror=True, **quiet)).scene.view._mirrored
    assert not Switchboard(RunConfig(mode="swap", **quiet)).scene.view._mirrored
    assert Switchboard(RunConfig(pose="absolute", **quiet)).scene.view.portrait.face._absolute_pose


def test_a_mode_asked_for_at_the_start_must_be_there() -> None:
    with pytest.raises(PuppetError, match="a clip in the puppet bruno"):
        Switchboard(RunConfig(puppet="bruno", mode="face2face", size=(160, 90), runtime="none"))

"""The puppets that come with mimicam, and those in the user's own folder."""

from __future__ import annotations

import os
from pathlib import Path

from engine.errors import PuppetError
from engine.home import home
from engine.shipped import shipped

SHIPPED_MAKER = "8e0114e4bc8f3911"  # fingerprint of the key that signed the shipped ones; it was not kept
PERFORMER = "dora"  # the face of the demo clip, not offered as a puppet


def shipped_folder() -> Path:
    """Where the shipped ones are."""
    return shipped("puppets")


def user_folder() -> Path:
    """Where `puppet new` puts puppets that it isn't told a place for: MIMICAM_PUPPETS, else `puppets` in mimicam's home."""
    return Path(os.environ.get("MIMICAM_PUPPETS") or home("puppets"))


def known_puppets() -> list[Path]:
    """All puppets that can be called by name: shipped ones first."""
    ours = [p for p in sorted(shipped_folder().glob("*.puppet")) if p.stem != PERFORMER]
    return ours + sorted(user_folder().glob("*.puppet"))


def find_puppet(name: str) -> Path:
    """Path of a puppet given by name or path. PuppetError lists the known names."""
    for path in known_puppets():
        if path.stem == name:
            return path
    path = Path(name)
    if path.exists() or path.suffix == ".puppet" or os.sep in name:
        return path
    known = ", ".join(p.stem for p in known_puppets())
    raise PuppetError(wanted=f"a puppet called '{name}'", found="none", advice=f"Known are: {known}; or give a path.")

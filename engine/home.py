"""Where mimicam keeps what belongs to the user: puppets, calibrations, keys, the log."""

from __future__ import annotations

import os
from pathlib import Path


def home(part: str) -> Path:
    """A folder of it, which may not exist yet: under MIMICAM_HOME, else ~/.local/share/mimicam."""
    return Path(os.environ.get("MIMICAM_HOME") or Path.home() / ".local" / "share" / "mimicam") / part

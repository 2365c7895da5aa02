"""What the renderer may leave out when time is short, in the order in which it is given up.

Each is missed more than the one before, mouth and lids most (docs/decisions/009); which of them save time is measured on each
machine (`engine/render/ladder.py`), and `mimicam bench stages` prints time and likeness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Quality:
    """How a picture is drawn."""

    name: str
    share: float = 1.0  # of the picture's width and height that is drawn; enlarged afterwards
    smooth_edges: bool = True
    generator: bool = True  # where there are networks


LADDER: Final = (
    Quality("full"),
    Quality("plain edges", smooth_edges=False),
    Quality("three quarters", 0.75, smooth_edges=False),
    Quality("half", 0.5, smooth_edges=False),
    Quality("no networks", smooth_edges=False, generator=False),
    Quality("half, no networks", 0.5, smooth_edges=False, generator=False),
)

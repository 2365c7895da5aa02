"""The steps that the governor has on this machine: what each quality costs is measured, not assumed.

Where the processor computes networks in bf16 or 8 bits, fewer pixels save most; in f32 the networks are most of a picture, and a
smaller picture with networks saves nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.render.quality import LADDER, Quality

DRAWS: Final = 3
WORTH: Final = 0.95  # of the time of the step before: what saves less is left out
SHARE: Final = 0.85  # of the time between two pictures that drawing may take where tracking has another core,
SHARE_IN_TURN: Final = 0.7  # and where it has to wait for its turn


@dataclass(frozen=True, slots=True)
class Step:
    """A quality and what it costs here."""

    quality: Quality
    draw_ms: float


def measured_ladder(draw: Callable[[Quality], object], ladder: Sequence[Quality] = LADDER) -> list[Step]:
    """The qualities of `ladder`, best first, without those that save nothing; `draw` draws one picture."""
    steps: list[Step] = []
    for quality in ladder:
        draw_ms = _draw_ms(draw, quality)
        if not steps or draw_ms <= WORTH * steps[-1].draw_ms:
            steps.append(Step(quality, draw_ms))
    return steps


def _draw_ms(draw: Callable[[Quality], object], quality: Quality) -> float:
    draw(quality)  # allocates, compiles
    times = []
    for _ in range(DRAWS):
        begin_s = time.perf_counter()
        draw(quality)
        times.append(1e3 * (time.perf_counter() - begin_s))
    return float(np.median(times))


def first_that_fits(steps: Sequence[Step], rate_hz: float, *, in_turn: bool) -> int:
    """Which step to begin with at `rate_hz` pictures a second; the last one where none is quick enough. `in_turn`: no frame is
    tracked meanwhile."""
    limit_ms = (SHARE_IN_TURN if in_turn else SHARE) * 1e3 / rate_hz
    return next((index for index, step in enumerate(steps) if step.draw_ms <= limit_ms), len(steps) - 1)

"""Holds the frame age at a target: worse pictures where it is missed, better ones again when there is room.

It knows levels only by number, 0 the best. A level that has just been proved too dear is tried again later and later
(the wait doubles), so that a load at the edge doesn't make the picture flap. Where worse pictures don't help, because
something else is late, it goes back to the best and leaves it at that for a while.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.live.meter import Series

WINDOW = 20  # pictures of a level that are looked at before the next decision
ROOM = 0.7  # of the target: the age must be under this to try a better level,
CALM = 60  # for nine in ten of so many pictures
PATIENCE_S, LONGEST_PATIENCE_S = 4.0, 240.0  # before a better level is tried
RELAPSE_S = 15.0  # a better level that is left again within this was a mistake
HELPED = 0.85  # of the age before: what the worst level must at least bring it to, or it is not worth its look


@dataclass(frozen=True, slots=True)
class Step:
    """One change of level."""

    at_s: float  # monotonic
    before: int
    after: int
    age_ms: float  # median that led to it


class Governor:
    """Chooses a level from the ages of the pictures that were sent. Use it from one thread."""

    def __init__(self, levels: int, target_ms: float) -> None:
        """`levels` >= 1; `target_ms` > 0 is the median age to hold."""
        self.target_ms = target_ms
        self.level = 0
        self.steps: list[Step] = []
        self._worst = levels - 1
        self._patience_s = [PATIENCE_S] * levels  # before each level is tried from the one below
        self._seen, self._since_s = 0, float("-inf")  # pictures sent, and time, at the last step
        self._age_at_best_ms = 0.0
        self._futile_until_s, self._futile_s = float("-inf"), 4 * PATIENCE_S

    def look(self, ages_ms: Series, now_s: float) -> int:
        """The level to use now."""
        fresh = ages_ms.added - self._seen
        if fresh < WINDOW:
            return self.level
        age_ms = ages_ms.recent(WINDOW)
        if age_ms > self.target_ms:
            self._too_old(age_ms, ages_ms.added, now_s)
        elif self.level and self._may_rise(now_s) and ages_ms.recent(min(fresh, CALM), 90) < ROOM * self.target_ms:
            self._go(self.level - 1, age_ms, ages_ms.added, now_s)
        return self.level

    def _may_rise(self, now_s: float) -> bool:
        return now_s - self._since_s >= self._patience_s[self.level - 1]

    def _too_old(self, age_ms: float, sent: int, now_s: float) -> None:
        if self.level == self._worst:
            if self._worst and age_ms > HELPED * self._age_at_best_ms:
                self._futile_until_s = now_s + self._futile_s
                self._futile_s = min(2 * self._futile_s, LONGEST_PATIENCE_S)
                self._go(0, age_ms, sent, now_s)
            return
        if now_s < self._futile_until_s:
            return
        if self.level == 0:
            self._age_at_best_ms = age_ms
        relapsed = now_s - self._since_s < RELAPSE_S and self.steps[-1].after < self.steps[-1].before
        patience_s = 2 * self._patience_s[self.level] if relapsed else PATIENCE_S
        self._patience_s[self.level] = min(patience_s, LONGEST_PATIENCE_S)
        self._go(self.level + 1, age_ms, sent, now_s)

    def _go(self, level: int, age_ms: float, sent: int, now_s: float) -> None:
        self.steps.append(Step(now_s, self.level, level, age_ms))
        self.level, self._seen, self._since_s = level, sent, now_s

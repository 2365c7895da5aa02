"""Holds the frame age at a target: worse pictures where it is missed, better ones again when there is room.

It knows levels only by number, 0 the best, and what drawing took at each before the run. A better one is tried where the age
and what it takes longer would do together; after a long while also without, since the machine may have been slow just then.
A level that has just been proved too dear is tried again later and later (the wait doubles), so that a load at the edge
doesn't make the picture flap. Where the worst level is too old as well, the best is tried against it: if that is no older,
something else is late, and the best is kept for a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.live.meter import Series

WINDOW = 30  # pictures of a level that are looked at before the next decision
ROOM = 0.9  # of the target: what the age would be at a better level must be under this to try it,
CALM = 60  # by nine in ten of so many pictures
PATIENCE_S, LONGEST_PATIENCE_S = 4.0, 240.0  # after a step, before a better level is tried
TOO_DEAR = 8  # times as long is waited before a level better than that of the start is tried
RELAPSE_S = 60.0  # a better level that is left again within this was a mistake
HELPED = 0.85  # of the best level's age: what the worst must at least bring it to, or it is not worth its look
IN_FLIGHT = 3  # pictures drawn before a step that are sent after it


@dataclass(frozen=True, slots=True)
class Step:
    """One change of level."""

    at_s: float  # monotonic
    before: int
    after: int
    age_ms: float  # median that led to it


class Governor:
    """Chooses a level from the ages of the pictures that were sent. Use it from one thread."""

    def __init__(self, costs_ms: Sequence[float], target_ms: float, level: int = 0) -> None:
        """`costs_ms` > 0 is what drawing takes at each level, of which there is one at least; `level` is the one to begin with;
        `target_ms` > 0 is the median age to hold. Neither costs nor target mean anything where there is one level only."""
        levels = len(costs_ms)
        self.target_ms = target_ms
        self.level = level
        self.steps: list[Step] = []
        self._costs_ms, self._worst = tuple(costs_ms), levels - 1
        # before each level is tried from the one below; those that the start left out were found too dear
        self._patience_s = [TOO_DEAR * PATIENCE_S] * level + [PATIENCE_S] * (levels - level)
        self._seen, self._since_s = 0, float("-inf")  # pictures sent, and time, at the last step
        self._risen_s = [float("-inf")] * levels  # when each was last risen to
        self._doubted_ms: float | None = None  # age at the worst level, while the best is tried against it
        self._doubt_at_s, self._doubt_s = float("-inf"), 4 * PATIENCE_S  # when to doubt again, and the wait after that
        self._sure = level > 0  # a start below the best was measured: no doubt yet that quality matters
        self._futile_until_s = float("-inf")

    def look(self, ages_ms: Series, draws_ms: Series, now_s: float) -> int:
        """The level to use now, of the ages of the pictures that were sent and of what each took to draw."""
        if self._since_s == float("-inf"):
            self._since_s = now_s
        fresh = ages_ms.added - self._seen - IN_FLIGHT
        if self._worst and fresh >= WINDOW:
            self._decide(ages_ms, draws_ms, fresh, now_s)
        return self.level

    def _decide(self, ages_ms: Series, draws_ms: Series, fresh: int, now_s: float) -> None:
        age_ms = ages_ms.recent(WINDOW)
        if age_ms > self.target_ms:
            self._too_old(age_ms, ages_ms.added, now_s)
        elif self.level == 0:
            self._doubted_ms = None  # the load has gone
            if now_s - self._since_s > RELAPSE_S:
                self._doubt_s = 4 * PATIENCE_S
        elif self._may_rise(ages_ms.recent(min(fresh, CALM), 90), draws_ms.recent(WINDOW), now_s):
            self._go(self.level - 1, age_ms, ages_ms.added, now_s)

    def _may_rise(self, age_ms: float, draw_ms: float, now_s: float) -> bool:
        """Whether the next better level may be tried while most pictures are no older than that, and take so long to draw."""
        waited_s, better = now_s - self._since_s, self.level - 1
        more_ms = draw_ms * (self._costs_ms[better] / self._costs_ms[self.level] - 1)
        if waited_s >= LONGEST_PATIENCE_S:
            more_ms = 0.0
        return waited_s >= self._patience_s[better] and age_ms + more_ms < ROOM * self.target_ms

    def _too_old(self, age_ms: float, sent: int, now_s: float) -> None:
        if self.level == self._worst:
            self._doubt(age_ms, sent, now_s)
        elif self._doubted_ms is not None:
            self._judge(self._doubted_ms, age_ms, sent, now_s)
        elif now_s >= self._futile_until_s:
            relapsed = now_s - self._risen_s[self.level] < RELAPSE_S  # even if it rose further meanwhile, and came back
            patience_s = 2 * self._patience_s[self.level] if relapsed else PATIENCE_S
            self._patience_s[self.level] = min(patience_s, LONGEST_PATIENCE_S)
            self._go(self.level + 1, age_ms, sent, now_s)

    def _doubt(self, age_ms: float, sent: int, now_s: float) -> None:
        """The worst level is too old as well: try the best for a window, to see whether quality has to do with it."""
        if self._sure:
            self._sure, self._doubt_at_s = False, now_s + TOO_DEAR * PATIENCE_S
        if now_s < self._doubt_at_s:
            return
        self._doubt_at_s = now_s + self._doubt_s
        self._doubt_s = min(2 * self._doubt_s, LONGEST_PATIENCE_S)
        self._doubted_ms = age_ms
        self._go(0, age_ms, sent, now_s)

    def _judge(self, worst_ms: float, best_ms: float, sent: int, now_s: float) -> None:
        """Back to the worst level where it helped; else the best is kept until it is time to doubt again."""
        self._doubted_ms = None
        if worst_ms <= HELPED * best_ms:
            self._go(self._worst, best_ms, sent, now_s)
        else:
            self._futile_until_s = self._doubt_at_s

    def _go(self, level: int, age_ms: float, sent: int, now_s: float) -> None:
        self.steps.append(Step(now_s, self.level, level, age_ms))
        if level < self.level:
            self._risen_s[level] = now_s
        self.level, self._seen, self._since_s = level, sent, now_s

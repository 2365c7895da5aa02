"""Counts and durations of a run."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

RATE_WINDOW = 45  # pictures that the status line's rate is taken of
KEPT = 200_000  # newest values of a series that percentiles are taken of: an hour at 50 Hz


class Series:
    """Durations in milliseconds. Safe for many threads."""

    def __init__(self) -> None:
        self.added = 0  # values so far, those that are not kept any more included
        self._values: deque[float] = deque(maxlen=KEPT)
        self._guard = threading.Lock()

    def add(self, value_ms: float) -> None:
        """One more value."""
        with self._guard:
            self._values.append(value_ms)
            self.added += 1

    def recent(self, count: int, percent: float = 50.0) -> float:
        """Median, or another percentile, of the newest `count` values; 0 when there are none."""
        with self._guard:
            newest = [self._values[-i] for i in range(1, min(count, len(self._values)) + 1)]
        return float(np.percentile(newest, percent)) if newest else 0.0

    def percentiles(self) -> dict[str, float]:
        """p50, p95, p99 and max in ms; zeros when there are no values."""
        with self._guard:
            values = np.array(self._values)
        if not len(values):
            return {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0}
        p50, p95, p99 = np.percentile(values, [50, 95, 99])
        return {"p50": float(p50), "p95": float(p95), "p99": float(p99), "max": float(values.max())}


class Meter:
    """What a run counted: events by name, durations by stage, frame age."""

    def __init__(self) -> None:
        self.age = Series()
        self.stages: dict[str, Series] = {}
        self._counts: Counter[str] = Counter()
        self._guard = threading.Lock()
        self.started_s = time.monotonic()
        self.first_sent_s: float | None = None
        self._last_sent_s = 0.0
        self._newest_s: deque[float] = deque(maxlen=RATE_WINDOW)

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        with self._guard:
            self._counts[name] += by

    def counted(self, name: str) -> int:
        """A counter's value."""
        with self._guard:
            return self._counts[name]

    def stage(self, name: str) -> Series:
        """The series of a stage's durations."""
        with self._guard:
            return self.stages.setdefault(name, Series())

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time a stage's work on one item."""
        begin_s = time.perf_counter()
        yield
        self.stage(name).add((time.perf_counter() - begin_s) * 1e3)

    def sent(self, captured_s: float, now_s: float) -> None:
        """A new picture was handed to the outputs at `now_s`."""
        if self.first_sent_s is None:
            self.first_sent_s = now_s
        self._last_sent_s = now_s
        self._newest_s.append(now_s)
        self.count("sent")
        self.age.add((now_s - captured_s) * 1e3)

    def rate_hz(self) -> float:
        """New pictures a second, from the first to the last."""
        if self.first_sent_s is None or self._last_sent_s <= self.first_sent_s:
            return 0.0
        return (self.counted("sent") - 1) / (self._last_sent_s - self.first_sent_s)

    def recent_rate_hz(self, now_s: float) -> float:
        """New pictures a second over the newest ones; it falls when none come."""
        newest = list(self._newest_s)
        if len(newest) < 2:
            return 0.0
        return (len(newest) - 1) / max(now_s - newest[0], 1e-3)

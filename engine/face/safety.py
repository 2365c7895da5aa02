"""What the puppet does while the performer isn't seen: hold, ease to neutral, stand still. Never the performer's picture."""

from __future__ import annotations

from enum import StrEnum

from engine.curves import smoothstep
from engine.face.performance import Performance

HOLD_S = 0.4
EASE_S = 1.2
RETURN_S = 0.3


class PuppetState(StrEnum):
    """What drives the puppet now."""

    LIVE = "live"
    HELD = "held"
    EASING = "easing"
    STILL = "still"


class SafeMotion:
    """Fills the gaps of a stream of performances."""

    def __init__(self) -> None:
        self._last = Performance.neutral()
        self._seen_s: float | None = None
        self._asked_s: float | None = None
        self._strength = 1.0

    def __call__(self, performance: Performance | None, now_s: float) -> tuple[Performance, PuppetState]:
        """The performance to show at `now_s`, and what it is; `None` is a frame without a performer,
        and so is a performance that no face can give."""
        step_s = 0.0 if self._asked_s is None else max(0.0, now_s - self._asked_s)
        self._asked_s = now_s
        if performance is not None and performance.plausible:
            self._last, self._seen_s = performance, now_s
            self._strength = min(1.0, self._strength + step_s / RETURN_S)
            return self._shown(), PuppetState.LIVE
        if self._seen_s is None:
            return Performance.neutral(), PuppetState.STILL
        if now_s - self._seen_s <= HOLD_S:
            return self._shown(), PuppetState.HELD
        self._strength = max(0.0, self._strength - step_s / EASE_S)
        return self._shown(), PuppetState.EASING if self._strength > 0 else PuppetState.STILL

    @property
    def strength(self) -> float:
        """How much of the performance shows, 0 to 1."""
        return smoothstep(self._strength) if self._seen_s is not None else 0.0

    def _shown(self) -> Performance:
        return self._last if self._strength >= 1 else self._last.eased(self.strength)

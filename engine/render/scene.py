"""The render stage: shows performances in a mode, safely, and changes mode and puppet while it runs."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.face.performance import Performance
from engine.face.safety import PuppetState, SafeMotion
from engine.live.frame import Frame
from engine.names import BlendName
from engine.render.blends import mixed
from engine.render.ladder import Step, measured_ladder
from engine.render.quality import LADDER
from engine.render.view import SealingView, Shown, View, talking
from engine.track.tracker import Tracked
from engine.trust.seal import Seal

FADE_S: Final = 0.4  # from one mode or puppet to the next


@dataclass(frozen=True, slots=True)
class Rendered:
    """What the puppet shows for a frame."""

    frame: Frame  # the canvas; index and time are those of the frame it answers
    state: PuppetState


class Scene:
    """Shows one view, or fades from one to the next. Use it from one thread, but for what says otherwise."""

    def __init__(
        self, view: View, runtime: str = "none", seal: Seal | None = None, device_runtime: str | None = None
    ) -> None:
        """`runtime` says what executes the networks, and `device_runtime` what does where a device draws, for the report.
        Whatever leaves mimicam has a `seal`; tools and measurements may do without."""
        self._runtime, self._device_runtime = runtime, runtime if device_runtime is None else device_runtime
        self.quality = LADDER[0]  # may be set from another thread; the next picture is drawn so
        self._view, self._seal = view, seal
        self._motion = SafeMotion()
        self._last_index: int | None = None
        self._next: tuple[View, Seal | None] | None = None  # asked for, not taken yet
        self._asking = threading.Lock()
        self._leaving: View | None = None
        self._fade_from_s = 0.0

    @property
    def view(self) -> View:
        """What is shown, or faded to."""
        return self._view

    @property
    def drawn_on(self) -> str:
        """What draws the view's pixels: cpu, or a device."""
        return self._view.drawn_on if isinstance(self._view, SealingView) else "cpu"

    @property
    def runtime(self) -> str:
        """What executes the networks of what is shown."""
        return self._runtime if self.drawn_on == "cpu" else self._device_runtime

    @property
    def blend(self) -> BlendName:
        """How faces are laid in, or will be by the view that was asked for last."""
        with self._asking:
            return (self._view if self._next is None else self._next[0]).blend

    def show(self, view: View, seal: Seal | None = None) -> None:
        """Fade to another view from the next picture on. May be called from any thread."""
        with self._asking:
            self._next = view, seal

    def set_blend(self, blend: BlendName) -> None:
        """How faces are laid in from now on. May be called from any thread."""
        with self._asking:
            view = self._view if self._next is None else self._next[0]
        view.blend = blend

    def draw(self, performance: Performance) -> NDArray[np.uint8]:
        """A new canvas (height, width, 3) with the puppet doing the performance."""
        return self._view.draw(Shown(performance, 0.0), self.quality)

    def rehearse(self) -> None:
        """Draw an open mouth as the first picture will be drawn, of which nothing is kept."""
        if isinstance(self._view, SealingView):
            self._view.draw_sealed(Shown(talking(), 0.0), self.quality, self._seal)
        else:
            self._view.rehearse(self.quality)

    def ladder(self) -> list[Step]:
        """The qualities that this machine has, measured, with nothing kept of it."""
        return measured_ladder(self._view.rehearse)

    def __call__(self, tracked: Tracked) -> Rendered:
        """The render stage: while nobody is seen, the performer's own picture never gets through."""
        self._last_index = tracked.frame.index
        return self._show(tracked.performance, tracked, tracked.frame.captured_s)

    def idle(self, now_s: float) -> Rendered | None:
        """What to show while no frame comes: the puppet comes to rest, as if the performer were lost."""
        return None if self._last_index is None else self._show(None, None, now_s)

    def _show(self, performance: Performance | None, tracked: Tracked | None, now_s: float) -> Rendered:
        motion, state = self._motion(performance, now_s)
        shown = Shown(motion, now_s, state, self._motion.strength, tracked)
        self._take_next(now_s)
        view = self._view
        if self._leaving is None and isinstance(view, SealingView):
            picture = view.draw_sealed(shown, self.quality, self._seal)
        else:
            picture = self._sealed(self._picture(shown))
        return Rendered(Frame(picture, self._last_index or 0, now_s), state)

    def _sealed(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The same picture, with badge and mark."""
        if self._seal is not None:
            self._seal.set(picture)
        return picture

    def _picture(self, shown: Shown) -> NDArray[np.uint8]:
        picture = self._view.draw(shown, self.quality)
        if self._leaving is None:
            return picture
        share = (shown.now_s - self._fade_from_s) / FADE_S
        if share >= 1:
            self._leaving = None
            return picture
        return mixed(self._leaving.draw(shown, self.quality), picture, max(0.0, share))

    def _take_next(self, now_s: float) -> None:
        with self._asking:
            wanted, self._next = self._next, None
        if wanted is not None:
            self._leaving, self._fade_from_s = self._view, now_s
            self._view, self._seal = wanted

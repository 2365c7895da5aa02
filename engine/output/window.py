"""Shows pictures in a window, with its keys and sliders."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2

from engine.errors import OutputError
from engine.live.frame import Frame

TITLE = "mimicam"
STEPS = 100  # of a slider


@dataclass(frozen=True, slots=True)
class Slider:
    """A value that is set by hand."""

    name: str
    least: float
    most: float
    value: float
    move: Callable[[float], None]

    def show(self) -> None:
        """Put it on the window."""
        span = self.most - self.least
        begin = round(STEPS * (self.value - self.least) / span)
        cv2.createTrackbar(self.name, TITLE, begin, STEPS, lambda step: self.move(self.least + span * step / STEPS))


def screen_available() -> bool:
    """A window can be opened here. Tried in a process of its own: Qt ends the process when the screen does not answer."""
    if sys.platform != "linux":
        return True
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    attempt = [sys.executable, "-c", "import cv2; cv2.namedWindow('mimicam'); cv2.destroyAllWindows()"]
    return subprocess.run(attempt, capture_output=True, timeout=30, check=False).returncode == 0


def require_screen() -> None:
    """OutputError where there is no screen."""
    if not screen_available():
        raise OutputError(
            wanted="a screen for the window",
            found="none, or it does not answer (DISPLAY, WAYLAND_DISPLAY)",
            advice="Run it on a desktop, or use another --output.",
        )


class WindowSink:
    """A window on this machine's screen. Opened by the first picture, in the thread that sends it."""

    wants_repeats = True

    def __init__(self, keys: dict[str, Callable[[], None]], sliders: Sequence[Slider] = ()) -> None:
        """`keys`: what a key does. OutputError where there is no screen."""
        require_screen()
        self._keys, self._sliders = keys, sliders
        self._open = False
        self.left_out = 0

    def send(self, frame: Frame) -> None:
        """Show one picture and serve the keyboard."""
        try:
            if not self._open:
                cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
                cv2.resizeWindow(TITLE, frame.bgr.shape[1], frame.bgr.shape[0])
                for slider in self._sliders:
                    slider.show()
                self._open = True
            cv2.imshow(TITLE, frame.bgr)
            key = cv2.waitKey(1) & 0xFF
        except cv2.error as error:
            raise OutputError(
                wanted="to show the window", found=str(error).strip(), advice="Use another --output."
            ) from error
        closed = cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1
        action = self._keys.get("esc" if key == 27 or closed else chr(key))
        if action is not None:
            action()

    def close(self) -> None:
        """Close the window."""
        if self._open:
            cv2.destroyWindow(TITLE)
            cv2.waitKey(1)

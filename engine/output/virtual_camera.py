"""Feeds a virtual camera that call and streaming programs can open, through pyvirtualcam."""

from __future__ import annotations

import sys

import pyvirtualcam
from pyvirtualcam import PixelFormat

from engine.errors import OutputError
from engine.live.frame import Frame

if sys.platform == "linux":
    from engine.output import v4l2loopback

ADVICE = {
    "linux": (
        "Install the driver with 'sudo apt install v4l2loopback-dkms' and load it with "
        "'sudo modprobe v4l2loopback devices=1 exclusive_caps=1 card_label=mimicam'."
    ),
    "darwin": "Install OBS 30 or later, start its virtual camera once, and quit OBS.",
    "win32": "Install OBS 26 or later, start its virtual camera once, and quit OBS.",
}


class VirtualCameraSink:
    """One virtual camera, open from construction to `close`."""

    wants_repeats = True

    def __init__(
        self, size_px: tuple[int, int], rate_hz: float, device: str | None = None, backend: str | None = None
    ) -> None:
        """`size_px`: width and height. `device`: e.g. /dev/video10; None takes the first free one.

        OutputError where there is none.
        """
        self.left_out = 0
        if sys.platform == "linux":
            for stuck in v4l2loopback.devices() if device is None else [device]:
                v4l2loopback.free_stuck(stuck)
        try:
            self._camera = pyvirtualcam.Camera(*size_px, rate_hz, fmt=PixelFormat.BGR, device=device, backend=backend)
        except (RuntimeError, OSError, ValueError) as error:
            raise OutputError(
                wanted=f"the virtual camera {device or '(any)'} at {size_px[0]} x {size_px[1]}",
                found=" ".join(str(error).split()) or type(error).__name__,
                advice=ADVICE.get(sys.platform, "See pyvirtualcam's documentation for this system."),
            ) from error

    def send(self, frame: Frame) -> None:
        """Hand over one picture of the size that was opened."""
        self._camera.send(frame.bgr)

    def close(self) -> None:
        """Close the device, so that it can be opened again."""
        backend, device = self._camera.backend, self._camera.device  # unknown once it is closed
        self._camera.close()
        if sys.platform == "linux" and backend == "v4l2loopback":
            v4l2loopback.say_writer_left(device)

"""Feeds a virtual camera that call and streaming programs can open, through pyvirtualcam."""

from __future__ import annotations

import sys

import pyvirtualcam
from pyvirtualcam import PixelFormat

from engine.errors import OutputError
from engine.live.frame import Frame

ADVICE = {
    "linux": (
        "Install the driver with 'sudo apt install v4l2loopback-dkms' and load it with "
        "'sudo modprobe v4l2loopback devices=1 exclusive_caps=1 card_label=mimicam'."
    ),
    "darwin": "Install OBS 30 or later, start its virtual camera once, and quit OBS.",
    "win32": "Install OBS 26 or later, start its virtual camera once, and quit OBS.",
}


class VirtualCameraSink:
    """Opened by the first picture, whose size it takes."""

    wants_repeats = True

    def __init__(self, rate_hz: float, device: str | None = None, backend: str | None = None) -> None:
        """`device`: e.g. /dev/video10; None takes the first free one. OutputError where there is none."""
        self._rate_hz, self._device, self._backend = rate_hz, device, backend
        self._camera: pyvirtualcam.Camera | None = None

    def open(self, width_px: int, height_px: int) -> None:
        """Open the device for pictures of this size."""
        try:
            self._camera = pyvirtualcam.Camera(
                width_px, height_px, self._rate_hz, fmt=PixelFormat.BGR, device=self._device, backend=self._backend
            )
        except (RuntimeError, OSError, ValueError) as error:
            raise OutputError(
                wanted=f"the virtual camera {self._device or '(any)'} at {width_px} x {height_px}",
                found=" ".join(str(error).split()) or type(error).__name__,
                advice=ADVICE.get(sys.platform, "See pyvirtualcam's documentation for this system."),
            ) from error

    def send(self, frame: Frame) -> None:
        """Hand over one picture."""
        if self._camera is None:
            self.open(frame.bgr.shape[1], frame.bgr.shape[0])
        assert self._camera is not None
        self._camera.send(frame.bgr)

    def close(self) -> None:
        """Close the device."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None

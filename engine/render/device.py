"""The device on which pixels are drawn, by name."""

from __future__ import annotations

from typing import Final

from engine.errors import ConfigError
from engine.names import DeviceName
from kernels.device import Device, DeviceError

ADVICE: Final = {
    "gpu": "Use --device cpu, or install what is missing: an NVIDIA driver, and pip install -e '.[cuda]'.",
    "emulated": "Use --device cpu, or install g++.",
    "cpu": "",
}


def open_device(name: DeviceName) -> Device | None:
    """None for the CPU's own kernels. ConfigError, with the reason, for a device that can't be had: there is no fallback."""
    try:
        return _open(name)
    except DeviceError as error:
        raise ConfigError(
            wanted=f"to draw with --device {name}",
            found=str(error),
            advice=ADVICE[name],
        ) from error


def _open(name: DeviceName) -> Device | None:
    if name == "gpu":
        from kernels.gpu import Gpu

        return Gpu()
    if name == "emulated":
        from kernels.emulated import EmulatedDevice

        return EmulatedDevice()
    return None

"""What works on this machine, what doesn't, and what to do about it."""

from __future__ import annotations

import ctypes.util
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from engine.capture.webcam import cameras
from engine.machine import cores, processor, processor_flags
from engine.output.virtual_camera import ADVICE
from engine.output.window import screen_available

PACKAGES = ("mediapipe", "opencv-contrib-python", "numpy", "numba", "av", "pyvirtualcam")
OTHER_OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python-headless")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    found: str
    advice: str = ""  # what to do when it isn't good


def _packages() -> Finding:
    missing = [name for name in PACKAGES if not _installed(name)]
    doubled = [name for name in OTHER_OPENCV if _installed(name)]
    if doubled:
        return Finding(
            "packages",
            False,
            f"a second OpenCV: {doubled[0]}",
            f"pip uninstall {' '.join(doubled)}, then reinstall mimicam",
        )
    found = ", ".join(f"{n} {version(n)}" for n in PACKAGES if n not in missing)
    return Finding("packages", not missing, found, f"pip install {' '.join(missing)}" if missing else "")


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _processor() -> Finding:
    flags = processor_flags()
    sets = [name for name, flag in (("AVX2", "avx2"), ("AVX-512", "avx512f"), ("AMX", "amx_tile")) if flag in flags]
    enough = cores() >= 2
    return Finding(
        "processor",
        enough,
        f"{processor()}, {cores()} cores, {', '.join(sets) or 'no AVX2'}",
        "the live loop needs two cores",
    )


def _virtual_devices() -> list[str]:
    """Video devices that no hardware stands behind."""
    return [d for d, _ in cameras() if Path(f"/sys/devices/virtual/video4linux/{Path(d).name}").exists()]


def _cameras() -> Finding:
    virtual = _virtual_devices()
    found = ", ".join(f"{device} ({name})" for device, name in cameras() if device not in virtual)
    if sys.platform != "linux":
        return Finding("cameras", True, "not listed on this system: try --camera 0, 1, ...")
    return Finding("cameras", bool(found), found or "none", "plug one in, or use --camera demo")


def _virtual_camera() -> Finding:
    if sys.platform == "linux":
        devices = _virtual_devices()
        return Finding("virtual camera", bool(devices), ", ".join(devices) or "no v4l2loopback device", ADVICE["linux"])
    backend = "obs" if sys.platform in ("win32", "darwin") else "unknown"
    return Finding("virtual camera", True, f"pyvirtualcam with {backend} (not opened)", ADVICE.get(sys.platform, ""))


def _screen() -> Finding:
    there = screen_available()
    return Finding(
        "screen", there, "available" if there else "none", "'--output window' needs a desktop; the others don't"
    )


def _gpu() -> Finding:
    driver = ctypes.util.find_library("cuda") is not None
    if not driver:
        return Finding("NVIDIA GPU", False, "no driver", "not needed: the CPU path is complete")
    usable = find_spec("pycuda") is not None
    return Finding("NVIDIA GPU", usable, "driver found", "the GPU path is not part of this version: the CPU path runs")


def examine() -> list[Finding]:
    """All findings, most important first."""
    return [_packages(), _processor(), _cameras(), _virtual_camera(), _screen(), _gpu()]

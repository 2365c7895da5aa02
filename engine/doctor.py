"""What works on this machine, what doesn't, and what to do about it."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from engine.capture.modes import Mode, camera_modes
from engine.capture.webcam import cameras
from engine.errors import MimicamError
from engine.machine import cores, processor, processor_flags
from engine.output.virtual_camera import ADVICE
from engine.output.window import screen_available
from engine.render.generator import load_networks
from engine.sound.source import Microphone, SoundSource, sound_cards
from kernels.device import DeviceError
from kernels.gpu import Gpu
from models.tensorrt_engine import nvidia_driver_found

PACKAGES = (
    "mediapipe",
    "opencv-contrib-python",
    "numpy",
    "numba",
    "av",
    "openvino",
    "onnx",
    "safetensors",
    "pyvirtualcam",
)
INSTRUCTION_SETS = {"AVX2": "avx2", "AVX-512": "avx512f", "AMX": "amx_tile"}
WANTED_HZ, WANTED_HEIGHT_PX = 29.0, 720  # of a camera; 30 Hz are 29.97 to some
MOST_BUSY_PERCENT = 50.0
EVEN_FOR_S, COUNTED, LATEST_MS = 3.0, 200_000, 15.0  # half a picture's time at 30 Hz
EXCLUSIVE_CAPS = Path("/sys/module/v4l2loopback/parameters/exclusive_caps")
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
    there = [name for name, flag in INSTRUCTION_SETS.items() if flag in flags]
    found = f"{processor()}, {cores()} cores, {', '.join(there) or 'no AVX2'}"
    if cores() < 2:
        return Finding("processor", False, found, "the live loop needs two cores: give the machine another")
    if flags and "avx2" not in flags:
        advice = "without AVX2 tracking takes three times as long: use a newer processor, or --size 640x360"
        return Finding("processor", False, found, advice)
    return Finding("processor", True, found)


def _load(busy_percent: Callable[[], float]) -> Finding:
    busy = busy_percent()
    found = f"{busy:.0f} % of all cores are busy"
    return Finding(
        "other programs", busy < MOST_BUSY_PERCENT, found, "end what computes: mimicam needs a core of its own"
    )


def _busy_percent() -> float:
    return psutil.cpu_percent(interval=0.5)


def _evenness(times_ms: Callable[[], list[float]]) -> Finding:
    times = times_ms()
    usual, worst = statistics.median(times), max(times)
    return Finding(
        "evenness",
        worst - usual < LATEST_MS,
        f"the same work takes {usual:.1f} ms, at worst {worst:.1f}",
        "now and then a picture will be late by as much: use the charger and the power plan for performance; a virtual "
        "machine shares its processor",
    )


def _times_of_work() -> list[float]:
    """How long the same counting takes, ms, over and over for EVEN_FOR_S."""
    times: list[float] = []
    begin_s = now_s = time.perf_counter()
    while now_s - begin_s < EVEN_FOR_S:
        sum(range(COUNTED))
        after_s = time.perf_counter()
        times.append(1e3 * (after_s - now_s))
        now_s = after_s
    return times


def _virtual_devices() -> list[str]:
    """Video devices that no hardware stands behind."""
    return [d for d, _ in cameras() if Path(f"/sys/devices/virtual/video4linux/{Path(d).name}").exists()]


def _cameras() -> list[Finding]:
    """One finding for each camera, or one that there is none."""
    if sys.platform != "linux":
        return [Finding("cameras", True, "not listed on this system: try --camera 0, 1, ...")]
    virtual = _virtual_devices()
    found = [_camera(device, name, camera_modes) for device, name in cameras() if device not in virtual]
    usable = [finding for finding in found if finding is not None]
    return usable or [Finding("cameras", False, "none", "plug one in, or use --camera demo")]


def _camera(device: str, name: str, modes_of: Callable[[str], list[Mode]]) -> Finding | None:
    """What a camera offers; None for a device that gives no pictures, as the second one of most webcams."""
    what = f"camera {device}"
    try:
        modes = modes_of(device)
    except PermissionError:
        advice = "sudo usermod -aG video $USER, then log in again"
        return Finding(what, False, f"{name}: you may not open it", advice)
    except OSError as error:
        return Finding(what, False, f"{name}: {error.strerror}", "unplug it and plug it in again")
    if not modes:
        return None
    best = max(modes, key=lambda m: (min(m.rate_hz, WANTED_HZ), min(m.height_px, WANTED_HEIGHT_PX), m.fourcc == "MJPG"))
    if best.rate_hz >= WANTED_HZ and best.height_px >= WANTED_HEIGHT_PX:
        return Finding(what, True, f"{name}: {best}")
    if best.rate_hz == 0:
        return Finding(what, True, f"{name}: {best.width_px}x{best.height_px} {best.fourcc}, it does not say how often")
    slower = f" --rate {best.rate_hz:g}" if best.rate_hz < WANTED_HZ else ""
    advice = f"use --camera-size {best.width_px}x{best.height_px}{slower}; for more, a USB 3 port or another camera"
    return Finding(what, False, f"{name}: no 720p at {WANTED_HZ:g} Hz, at best {best}", advice)


def _virtual_camera() -> Finding:
    if sys.platform == "linux":
        return _loopback(_virtual_devices(), EXCLUSIVE_CAPS)
    backend = "obs" if sys.platform in ("win32", "darwin") else "unknown"
    return Finding("virtual camera", True, f"pyvirtualcam with {backend} (not opened)", ADVICE.get(sys.platform, ""))


def _loopback(devices: list[str], exclusive_caps: Path) -> Finding:
    """Whether v4l2loopback is there, may be written to, and is such that browsers see it."""
    what, found = "virtual camera", ", ".join(devices)
    if not devices:
        return Finding(what, False, "no v4l2loopback device", ADVICE["linux"])
    if not any(os.access(device, os.W_OK) for device in devices):
        return Finding(what, False, f"{found}: you may not write", "sudo usermod -aG video $USER, then log in again")
    if exclusive_caps.is_file() and "Y" not in exclusive_caps.read_text():
        reload = "sudo modprobe -r v4l2loopback; sudo modprobe v4l2loopback exclusive_caps=1 card_label=mimicam"
        return Finding(what, False, f"{found}, but without exclusive_caps: Chrome does not list it", reload)
    return Finding(what, True, found)


def _microphone(open_microphone: Callable[[], SoundSource]) -> Finding:
    """Only opened, not listened to."""
    try:
        open_microphone().close()
    except MimicamError as error:
        return Finding("microphone", False, error.found, "'--sound mic' needs one; '--sound FILE' doesn't")
    return Finding("microphone", True, sound_cards())


def _screen() -> Finding:
    there = screen_available()
    return Finding(
        "screen", there, "available" if there else "none", "'--output window' needs a desktop; the others don't"
    )


def _networks() -> Finding:
    told: list[str] = []
    try:
        networks = load_networks("auto", told.append)
    except MimicamError as error:
        return Finding("networks", False, error.found, error.advice)
    if networks is None:
        return Finding("networks", False, told[0], "mimicam runs without them; pip install openvino brings them back")
    return Finding("networks", True, str(networks))


def _gpu() -> Finding:
    if not nvidia_driver_found():
        return Finding("NVIDIA GPU", False, "no driver", "not needed: the CPU path is complete")
    try:
        gpu = Gpu()
    except DeviceError as error:
        return Finding(
            "NVIDIA GPU", False, str(error), "make .venv/gpu installs what it needs; the CPU path is complete"
        )
    return Finding("NVIDIA GPU", True, f"{gpu.name}, {gpu.memory_bytes >> 30} GB, driver for CUDA {gpu.driver}")


def examine() -> list[Finding]:
    """All findings, most important first."""
    return [
        _packages(),
        _processor(),
        _load(_busy_percent),
        _evenness(_times_of_work),
        _networks(),
        *_cameras(),
        _virtual_camera(),
        _microphone(Microphone),
        _screen(),
        _gpu(),
    ]

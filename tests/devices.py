"""Where kernels are tested: on the CPU, as CUDA on an emulated device, and as CUDA on a GPU where there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from kernels import registry
from kernels.device import Device, DeviceError
from kernels.emulated import EmulatedDevice


@cache
def emulated() -> Device:
    """MIMICAM_SANITIZER, as g++ takes it, lets a sanitizer look on; the process must have been started with its library."""
    return EmulatedDevice(os.environ.get("MIMICAM_SANITIZER"))


@cache
def gpu() -> Device | None:
    try:
        from kernels.gpu import Gpu

        return Gpu()
    except DeviceError:
        return None


needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
EMULATED = pytest.param("emulated", marks=[needs_compiler, pytest.mark.emulated])
GPU = pytest.param("gpu", marks=[pytest.mark.gpu, pytest.mark.skipif(gpu() is None, reason="no GPU, or no PyCUDA")])
needs_tensorrt = pytest.mark.skipif(
    not find_spec("tensorrt"), reason="TensorRT is not installed"
)  # RTX runs on few cards
GPU_RUNTIMES = ["torch-cuda", pytest.param("tensorrt", marks=needs_tensorrt)]
implementations = pytest.mark.parametrize("implementation", ["cpu", EMULATED, GPU])
on_devices = pytest.mark.parametrize("implementation", [EMULATED, GPU])


def device_named(implementation: str) -> Device:
    found = emulated() if implementation == "emulated" else gpu()
    assert found is not None
    return found


def load(kernel: str, implementation: str) -> Callable[..., None]:
    """As the registry's, of `reference`, `cpu`, `emulated` or `gpu`."""
    if implementation in ("reference", "cpu"):
        return registry.load(kernel, implementation)
    return registry.load(kernel, "cuda", device_named(implementation))


def smooth_picture(random: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """A smooth random picture (height, width, 3)."""
    coarse = random.integers(0, 256, (height // 16 + 2, width // 16 + 2, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)

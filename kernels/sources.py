"""CUDA sources: where they lie, what they define, and their compilation for a GPU, which needs none."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Final

from kernels.device import DeviceError

FOLDER: Final = Path(__file__).parent
HEADERS: Final = ("pixels.cuh", "half.cuh")
OPTIONS: Final = ("--std=c++17", "--fmad=false")  # a fused product rounds once where the CPU rounds twice


def source_of(kernel: str) -> Path:
    """The CUDA C++ of a kernel."""
    return FOLDER / kernel / f"{kernel}.cu"


def functions_of(kernel: str) -> list[str]:
    """What a source lets be launched."""
    return re.findall(
        r'extern "C" __global__ void (?:__launch_bounds__\(\w+\) )?(\w+)\(', source_of(kernel).read_text()
    )


@cache
def compiler_version() -> int:
    """Which CUDA NVRTC is of, as 13. DeviceError where there is none."""
    nvrtc = _nvrtc()
    error, major, _ = nvrtc.nvrtcVersion()
    if error != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise DeviceError(f"NVRTC does not say its version: {error}")
    return int(major)


def _nvrtc() -> Any:
    try:
        from cuda.bindings import nvrtc
    except ImportError as missing:
        raise DeviceError("NVRTC is not installed: pip install -e '.[cuda]'") from missing
    return nvrtc


def compiled(kernel: str, generation: int) -> bytes:
    """Machine code (a cubin) for a compute capability, as 90. DeviceError with the compiler's log when it fails."""
    nvrtc = _nvrtc()
    headers = [(FOLDER / name).read_bytes() for name in HEADERS]
    names = [name.encode() for name in HEADERS]
    source = source_of(kernel)
    error, program = nvrtc.nvrtcCreateProgram(source.read_bytes(), source.name.encode(), len(headers), headers, names)
    if error != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise DeviceError(f"NVRTC could not begin with {source.name}: {error}")
    options = [option.encode() for option in (f"--gpu-architecture=sm_{generation}", *OPTIONS)]
    (error,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    if error != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        _, size = nvrtc.nvrtcGetProgramLogSize(program)
        log = bytes(size + 1)  # written in place: one byte alone would be an object that all of Python shares
        nvrtc.nvrtcGetProgramLog(program, log)
        raise DeviceError(f"NVRTC refuses {source.name} for sm_{generation}: {log.decode(errors='replace')}")
    _, size = nvrtc.nvrtcGetCUBINSize(program)
    code = bytes(size + 1)
    nvrtc.nvrtcGetCUBIN(program, code)
    nvrtc.nvrtcDestroyProgram(program)
    return code[:size]

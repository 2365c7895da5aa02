"""CUDA sources without a GPU: NVRTC compiles each for every generation, and sanitizers watch them on the emulated device.

What each computes is compared with its reference where every implementation is, in test_kernels.py and test_crop_kernels.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from devices import emulated, needs_compiler

from kernels.device import DeviceError, uploaded
from kernels.registry import CPU_ONLY, KERNELS
from kernels.sources import FOLDER, compiled, functions_of

ROOT = FOLDER.parent
GENERATIONS = (75, 80, 86, 89, 90, 100, 120)  # Turing to Blackwell
WITH_CUDA = [kernel for kernel in KERNELS if kernel not in CPU_ONLY]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("kernel", WITH_CUDA)
def test_compiles(kernel: str, generation: int) -> None:
    pytest.importorskip("cuda.bindings.nvrtc", reason="NVRTC is not installed: make engines")
    code = compiled(kernel, generation)
    assert code[:4] == b"\x7fELF"
    assert all(name.encode() in code for name in functions_of(kernel))


def test_every_source_belongs_to_a_kernel() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*/*.cu")) == sorted(WITH_CUDA)


def test_a_source_that_does_not_compile_is_an_error_with_the_compilers_words(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cuda.bindings.nvrtc", reason="NVRTC is not installed: make engines")
    monkeypatch.setattr("kernels.sources.OPTIONS", ("--std=c++17", "-DaREADER", "-Daligned=+"))
    with pytest.raises(DeviceError, match=r"NVRTC refuses sample\.cu for sm_87: .*error"):
        compiled("sample", 87)


def sanitized(sanitizer: str, libraries: list[str], *command: str) -> subprocess.CompletedProcess[str]:
    """A Python process with a sanitizer's libraries in it."""
    found = [
        subprocess.run(["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
        for name in (*libraries, "libstdc++.so")
    ]
    if not all(Path(path).is_absolute() for path in found):
        pytest.skip(f"g++ comes without {libraries}")
    settings = {
        "LD_PRELOAD": " ".join(found), "MIMICAM_SANITIZER": sanitizer, "PYTHONPATH": str(ROOT),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python's own
    }  # fmt: skip
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | settings, timeout=280
    )


@needs_compiler
@pytest.mark.timeout(300)
def test_no_address_is_wrong_and_nothing_undefined() -> None:
    """What compute-sanitizer's memcheck looks for on a GPU. One kernel's long test stays out, its short one is in."""
    done = sanitized(
        "address,undefined", ["libasan.so", "libubsan.so"], sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
        "tests/test_kernels.py", "tests/test_crop_kernels.py", "-m", "emulated", "-k", "not poisson_equals",
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert " passed" in done.stdout


@needs_compiler
@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("setarch") is None, reason="setarch is not installed")
def test_nothing_races() -> None:
    """What compute-sanitizer's racecheck looks for on a GPU. Without a fixed place for its own memory TSan can't start."""
    done = sanitized("thread", ["libtsan.so"], "setarch", "-R", sys.executable, "-m", "tests.cuda.races")
    assert done.returncode == 0, done.stderr[-3000:]


@needs_compiler
def test_every_kernel_runs_once() -> None:
    """The script that compute-sanitizer gets."""
    command = [sys.executable, "-m", "tests.cuda.every", "emulated"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=110)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert f"{len(WITH_CUDA) + 1} kernels on emulated are right" in done.stdout  # one of them in two sizes


@needs_compiler
def test_parts_of_an_array_are_its_own_memory() -> None:
    device = emulated()
    picture = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    buffer = uploaded(device, picture)
    part = buffer.part(2, 1, 3, 2)
    assert part.shape == (2, 3, 3)
    assert not part.packed
    assert part.address - buffer.address == (1 * 7 + 2) * 3
    assert np.array_equal(device.download(buffer.seen_as((2, 7, 3), np.uint8, 2 * 21)), picture[2:4])
    with pytest.raises(ValueError, match="not within"):
        buffer.part(5, 0, 3, 2)
    with pytest.raises(ValueError, match="without gaps"):
        device.download(part)
    with pytest.raises(ValueError, match="does not fit"):
        buffer.seen_as((30,), np.float32)

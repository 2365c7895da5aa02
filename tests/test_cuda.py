"""CUDA sources without a GPU: NVRTC compiles each for every generation, and a CPU runs them against the reference."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels.registry import load

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "kernels").glob("*/*.cu"))
GENERATIONS = (75, 80, 86, 89, 90, 100, 120)  # Turing to Blackwell
SHIM = ROOT / "tests" / "cuda"
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_compiles(source: Path, generation: int) -> None:
    nvrtc = pytest.importorskip("cuda.bindings.nvrtc", reason="NVRTC is not installed: make engines")
    _, program = nvrtc.nvrtcCreateProgram(source.read_bytes(), source.name.encode(), 0, [], [])
    options = [f"--gpu-architecture=sm_{generation}".encode(), b"--std=c++17"]
    (error,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    log = bytes(size + 1)  # written in place: one byte alone would be an object that all of Python shares
    nvrtc.nvrtcGetProgramLog(program, log)
    assert error == nvrtc.nvrtcResult.NVRTC_SUCCESS, log.decode()
    _, size = nvrtc.nvrtcGetCUBINSize(program)
    assert size > 0


def built(name: str, target: Path, *flags: str) -> Path:
    command = ["g++", "-std=c++20", "-pthread", "-g", "-O1", *flags, str(SHIM / f"{name}.cpp"), "-o", str(target)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=100)
    return target


@pytest.fixture(scope="module")
def embed_mark(tmp_path_factory: pytest.TempPathFactory) -> Any:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    library = ctypes.CDLL(
        str(built("embed_mark", tmp_path_factory.mktemp("cuda") / "embed_mark.so", "-shared", "-fPIC"))
    )

    def embed(picture: NDArray[np.uint8], pattern: NDArray[np.int8]) -> None:
        assert picture.ctypes.data % 16 == 0 or picture.shape[1] % 16
        library.run(ctypes.c_void_p(picture.ctypes.data), ctypes.c_void_p(pattern.ctypes.data), *pattern.shape)

    return embed


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 20), st.one_of(st.integers(1, 40), st.sampled_from([16, 32, 256, 272]))
)
@settings(max_examples=12, deadline=None)
def test_embed_mark_equals_reference(embed_mark: Any, seed: int, height: int, width: int) -> None:
    random = np.random.default_rng(seed)
    expected = random.integers(0, 256, (height, width, 3)).astype(np.uint8)
    pattern = random.integers(-127, 128, (height, width)).astype(np.int8)
    found = expected.copy()
    load("embed_mark", "reference")(expected, pattern)
    embed_mark(found, pattern)
    assert np.array_equal(expected, found)


@needs_compiler
@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
@pytest.mark.parametrize("name", ["embed_mark"])
def test_sanitizers_find_nothing(name: str, sanitizer: str, tmp_path: Path) -> None:
    """What compute-sanitizer's memcheck and racecheck look for on a GPU."""
    program = built(name, tmp_path / name, "-DMAIN", f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all")
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-3000:]

"""A device without a GPU: the CUDA sources, compiled by g++ with `shim.h` and run on the CPU.

Slow, and exact: what a kernel computes here is what it computes on a GPU, as far as its own arithmetic goes. Tests hold
kernels against their references with it and let sanitizers look on.
"""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from kernels.device import (
    Buffer,
    DeviceError,
    OutOfMemoryError,
    Sides,
    Work,
    require_copyable,
    require_packed,
    row_bytes_of,
)
from kernels.sources import FOLDER, HEADERS, functions_of, source_of

ALIGNMENT: Final = 256  # as CUDA's own
_ONE: Final = threading.RLock()
FLAGS: Final = (
    "-std=c++20", "-O2", "-g", "-shared", "-fPIC", "-pthread", "-ffp-contract=off", "-U_FORTIFY_SOURCE",
    "-fvisibility=hidden", "-fno-gnu-unique",  # a kernel may be called as something in the C library
)  # fmt: skip


class EmulatedDevice:
    """See the top of this file."""

    name = "emulated"

    def __init__(self, sanitizer: str | None = None) -> None:
        """`sanitizer` as g++'s -fsanitize; the process has to be started with its library. DeviceError without g++."""
        if shutil.which("g++") is None:
            raise DeviceError("g++ is not installed: apt install g++")
        self._sanitizer = sanitizer

    def current(self) -> AbstractContextManager[Any]:
        """One thread at a time: the shim's threads are in one place."""
        return _ONE

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Buffer:
        """From the C library, an array each, so that a sanitizer knows its ends."""
        kind = np.dtype(dtype)
        memory = _Memory(max(1, int(np.prod(shape)) * kind.itemsize))
        return Buffer(tuple(shape), kind, memory.address, row_bytes_of(tuple(shape), kind), memory)

    def upload(self, host: NDArray[Any], to: Buffer) -> None:
        """At once."""
        source = np.ascontiguousarray(host)
        require_copyable(source, to)
        ctypes.memmove(to.address, source.ctypes.data, to.nbytes)

    def download(self, buffer: Buffer) -> NDArray[Any]:
        """At once."""
        require_packed(buffer)
        host = np.empty(buffer.shape, buffer.dtype)
        ctypes.memmove(host.ctypes.data, buffer.address, buffer.nbytes)
        return host

    def copy(self, source: Buffer, to: Buffer) -> None:
        """At once."""
        require_copyable(source, to)
        ctypes.memmove(to.address, source.address, to.nbytes)

    def launch(self, kernel: str, function: str, grid: Sides, block: Sides, *arguments: Any) -> None:
        """At once."""
        values = [_value(argument) for argument in arguments]
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        sides = [(ctypes.c_int * 3)(*s) for s in (grid, block)]
        with _ONE:
            getattr(_library(kernel, self._sanitizer), f"run_{function}")(*sides, pointers)

    def recorded(self, launches: Callable[[], None]) -> Work:
        """Done as it is each time."""
        return partial(launches)

    def synchronize(self) -> None:
        """There is nothing to wait for."""


class _Memory:
    """Aligned memory of the C library, and its end. Exactly as long as asked for: bytes beyond would hide mistakes."""

    def __init__(self, size: int) -> None:
        pointer = ctypes.c_void_p()
        if _C.posix_memalign(ctypes.byref(pointer), ALIGNMENT, size):
            raise OutOfMemoryError(f"no {size} bytes are left")
        assert pointer.value is not None
        self.address = pointer.value
        self._free = _C.free

    def __del__(self) -> None:
        self._free(ctypes.c_void_p(self.address))


_C: Final = ctypes.CDLL(None)
_C.posix_memalign.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t, ctypes.c_size_t]


def _value(argument: Any) -> Any:
    """An argument as the C type of its kernel."""
    if isinstance(argument, Buffer):
        return ctypes.c_void_p(argument.address)
    return np.ctypeslib.as_ctypes_type(argument.dtype)(argument.item())


@cache
def _library(kernel: str, sanitizer: str | None) -> ctypes.CDLL:
    return ctypes.CDLL(str(build(kernel, sanitizer)))


def build(kernel: str, sanitizer: str | None = None) -> Path:
    """The shared library of a kernel, from a cache for as long as no source changes. DeviceError with g++'s words."""
    source = source_of(kernel)
    text = source.read_text()
    lines = ['#include "shim.h"', f'#include "{source}"'] + [
        f'extern "C" __attribute__((visibility("default"))) void run_{name}(const int* grid, const int* block, void** arguments) '
        f"{{ launch({name}, grid, block, arguments); }}"
        for name in functions_of(kernel)
    ]
    flags = [*FLAGS, f"-I{FOLDER}"]
    if sanitizer is not None:
        flags += [f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all"]
    if sanitizer == "thread":
        flags += ["-DSHIM_THREADS"]
    elif "__syncthreads" in text:
        flags += ["-DSHIM_BARRIERS"]
    everything = [text, *lines, *flags, *((FOLDER / name).read_text() for name in (*HEADERS, "shim.h"))]
    key = hashlib.sha256("\0".join(everything).encode()).hexdigest()[:24]
    target = Path(tempfile.gettempdir()) / f"mimicam-emulated-{_user()}" / f"{kernel}-{key}.so"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".so", delete=False) as partial_file:
        done = subprocess.run(
            ["g++", *flags, "-x", "c++", "-", "-o", partial_file.name],
            input="\n".join(lines), capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        Path(partial_file.name).unlink()
        raise DeviceError(f"g++ refuses {source.name}: {done.stderr[-3000:]}")
    Path(partial_file.name).replace(target)
    return target


def _user() -> str:
    import getpass

    return getpass.getuser()

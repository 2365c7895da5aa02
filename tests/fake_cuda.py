"""As much of PyCUDA's driver, and of NVIDIA's for graphs, as `kernels/gpu.py` uses: a GPU played by the emulated device.

It is strict where the true ones are: a context must be current in the calling thread, arguments are packed by the prepared
format, nothing is allocated or copied from the host while a stream is captured, and copies wait for their stream.
"""

from __future__ import annotations

import ctypes
import struct
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from kernels.device import Buffer
from kernels.emulated import EmulatedDevice

C_TYPES = {
    "i": ctypes.c_int32, "I": ctypes.c_uint32, "f": ctypes.c_float, "d": ctypes.c_double, "q": ctypes.c_int64,
    "Q": ctypes.c_uint64, "B": ctypes.c_uint8, "P": ctypes.c_void_p,
}  # fmt: skip
HANDLE = 4711


class Error(Exception): ...


class MemoryError(Error): ...  # noqa: A001


class FakeDriver:
    """`pycuda.driver`."""

    Error, MemoryError = Error, MemoryError
    event_flags = SimpleNamespace(DISABLE_TIMING=2)

    def __init__(self, memory_bytes: int = 1 << 30) -> None:
        self._device, self._left = EmulatedDevice(), memory_bytes
        self._current = threading.local()
        self.queued: list[Callable[[], None]] = []  # on the stream, not done yet
        self.captured: list[Callable[[], None]] | None = None
        self.lost, self.pinned = False, 0
        driver = self

        class Device:
            def __init__(self, index: int) -> None:
                driver._checked(context=False)

            @staticmethod
            def count() -> int:
                return 1

            def name(self) -> str:
                return "Fake GPU"

            def total_memory(self) -> int:
                return memory_bytes

            def compute_capability(self) -> tuple[int, int]:
                return 9, 0

            def retain_primary_context(self) -> Any:
                return SimpleNamespace(push=driver._push, pop=driver._pop)

        class Stream:
            handle = HANDLE

            def __init__(self, flags: int = 0) -> None:
                assert flags == 1, "a stream that waits for the legacy one"

            def synchronize(self) -> None:
                driver._checked()
                driver.finish()

        class Event:
            def __init__(self, flags: int = 0) -> None:
                driver._checked()
                self._timed = not flags

            def record(self, stream: Any) -> None:
                driver._queue(lambda: None)

            def synchronize(self) -> None:
                driver._checked()
                driver.finish()

            def time_since(self, other: Any) -> float:
                assert self._timed
                return 1.5

        self.Device, self.Stream, self.Event = Device, Stream, Event

    def init(self) -> None: ...

    def get_driver_version(self) -> int:
        return 13010

    def _push(self) -> None:
        self._current.depth = getattr(self._current, "depth", 0) + 1

    def _pop(self) -> None:
        self._current.depth -= 1

    def _checked(self, context: bool = True) -> None:
        if self.lost:
            raise Error("the GPU fell off the bus")
        if context and not getattr(self._current, "depth", 0):
            raise Error("no context is current in this thread")

    def _queue(self, work: Callable[[], None]) -> None:
        self._checked()
        (self.queued if self.captured is None else self.captured).append(work)

    def finish(self) -> None:
        assert self.captured is None, "nothing may be waited for while a stream is captured"
        done, self.queued = self.queued, []
        for work in done:
            work()

    def mem_alloc(self, count: int) -> Any:
        self._checked()
        assert self.captured is None
        if count > self._left:
            raise MemoryError("cuMemAlloc failed: out of memory")
        self._left -= count
        return _Allocation(self, self._device.empty((count,), np.uint8), count)

    def pagelocked_empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        self._checked()
        self.pinned += 1
        return np.empty(shape, dtype)

    def memcpy_htod_async(self, to: int, source: Any, stream: Any) -> None:
        assert self.captured is None
        self._queue(lambda: _move(to, source.ctypes.data, source.nbytes))

    def memcpy_dtoh_async(self, to: Any, source: int, stream: Any) -> None:
        assert self.captured is None
        self._queue(lambda: _move(to.ctypes.data, source, to.nbytes))

    def memcpy_dtod_async(self, to: int, source: int, size: int, stream: Any) -> None:
        self._queue(lambda: _move(to, source, size))

    def module_from_buffer(self, code: bytes) -> Any:
        """The code is the kernel's name: see `compiled`."""
        self._checked()
        return SimpleNamespace(get_function=lambda name: _Function(self, code.decode(), name))


def _move(to: int, source: int, size: int) -> None:
    ctypes.memmove(to, source, size)


class _Allocation:
    """Freed where the context is current, or not at all."""

    def __init__(self, driver: FakeDriver, buffer: Buffer, count: int) -> None:
        self._driver, self._buffer, self._count = driver, buffer, count

    def __del__(self) -> None:
        if getattr(self._driver._current, "depth", 0):
            self._driver._left += self._count

    def __int__(self) -> int:
        return self._buffer.address


class _Function:
    def __init__(self, driver: FakeDriver, kernel: str, name: str) -> None:
        self._driver, self._kernel, self._name, self._format = driver, kernel, name, ""

    def prepare(self, codes: str) -> None:
        self._format = codes

    def prepared_async_call(self, grid: Any, block: Any, stream: Any, *arguments: Any) -> None:
        struct.pack(self._format, *arguments)
        device = self._driver._device
        values = [
            np.dtype(C_TYPES[c]).type(a) if c != "P" else _pointer(a)
            for c, a in zip(self._format, arguments, strict=True)
        ]
        self._driver._queue(lambda: device.launch(self._kernel, self._name, grid, block, *values))


def _pointer(address: int) -> Buffer:
    return Buffer((), np.dtype(np.uint8), int(address), 0, None)


def compiled(kernel: str, generation: int) -> bytes:
    """In place of machine code."""
    assert generation == 90
    return kernel.encode()


class FakeGraphs:
    """`cuda.bindings.driver`."""

    CUresult = SimpleNamespace(CUDA_SUCCESS=0)
    CUstreamCaptureMode = SimpleNamespace(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL=1)

    def __init__(self, driver: FakeDriver) -> None:
        self._driver = driver
        self.launched = 0

    def CUstream(self, handle: int) -> int:
        return handle

    def cuStreamBeginCapture(self, stream: int, mode: int) -> tuple[int]:
        self._driver.captured = []
        return (0,)

    def cuStreamEndCapture(self, stream: int) -> tuple[int, Any]:
        captured, self._driver.captured = self._driver.captured, None
        return 0, captured

    def cuGraphInstantiate(self, graph: Any, flags: int) -> tuple[int, Any]:
        return 0, list(graph)

    def cuGraphDestroy(self, graph: Any) -> tuple[int]:
        return (0,)

    def cuGraphExecDestroy(self, ready: Any) -> tuple[int]:
        ready.clear()
        return (0,)

    def cuGraphLaunch(self, ready: Any, stream: int) -> tuple[int]:
        assert stream == HANDLE
        self.launched += 1
        for work in ready:
            self._driver._queue(work)
        return (0,)

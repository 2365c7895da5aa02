"""The GPU: the only file that touches its context, streams, events and memory.

PyCUDA in the primary context, which torch and TensorRT share; one stream for everything, which they are handed. Contexts
belong to threads: whatever is done with a `Gpu` is done while it is `current()`, and one thread at a time can have it so: a view
that the main thread opens waits for the picture that the render thread draws. PyCUDA has no graphs, so they come from
NVIDIA's own bindings on the same stream.
"""

from __future__ import annotations

import gc
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
from kernels.sources import compiled, compiler_version

NON_BLOCKING: Final = 1  # a stream that does not wait for the legacy one, whose use elsewhere would end a capture
SLOTS: Final = 3  # uploads in flight: one is written, one copied, one about to be
CODES: Final = {"int32": "i", "uint32": "I", "float32": "f", "float64": "d", "int64": "q", "uint64": "Q", "uint8": "B"}


class Gpu:
    """One stream of one GPU, for any thread, one at a time. Several may be used side by side."""

    def __init__(self, index: int = 0) -> None:
        """DeviceError, with the reason, where there is no such GPU or no PyCUDA."""
        self._cuda = _driver()
        try:
            self._cuda.init()
            found = self._cuda.Device.count()
            if index >= found:
                raise DeviceError(f"GPU {index} was wanted, {found} found")
            device = self._cuda.Device(index)
            self._context = device.retain_primary_context()
        except self._cuda.Error as error:
            raise DeviceError(f"no GPU can be used: {error}") from error
        self.name = device.name()
        self.memory_bytes = int(device.total_memory())
        major, minor = device.compute_capability()
        self.generation = 10 * major + minor
        version = self._cuda.get_driver_version()
        self.driver = f"{version // 1000}.{version % 1000 // 10}"  # the newest CUDA that it runs
        self._mine, self._depth = threading.RLock(), 0
        self._functions: dict[tuple[str, str], Any] = {}
        self._modules: dict[str, Any] = {}
        self._slots: list[_Slot] = []
        self._next = 0
        self._homes: dict[int, deque[NDArray[np.uint8]]] = {}  # pinned memory that nobody looks at, by its bytes
        self._given_back: deque[Any] = deque()  # memory that nobody uses: to be freed where the context is current
        with self.current():
            self._stream = self._cuda.Stream(NON_BLOCKING)
            self._slots = [_Slot(self._cuda) for _ in range(SLOTS)]
            self._require_tools()

    def _require_tools(self) -> None:
        """DeviceError now, rather than at the first picture, where nothing can be compiled, loaded or recorded."""
        _graph_driver()
        if compiler_version() > int(self.driver.partition(".")[0]):
            raise DeviceError(
                f"the driver runs CUDA {self.driver}, NVRTC compiles for {compiler_version()}: update the driver"
            )
        self._module("sample")

    @property
    def stream(self) -> int:
        """The stream's handle, for TensorRT and torch."""
        return int(self._stream.handle)

    @contextmanager
    def current(self) -> Iterator[None]:
        """While this lasts the calling thread may use the GPU; DeviceError for whatever the driver reports meanwhile."""
        with self._mine:
            try:
                with self._pushed():
                    yield
            except self._cuda.MemoryError as error:
                raise OutOfMemoryError(f"{self.name} has no memory left: {error}") from error
            except self._cuda.Error as error:
                raise DeviceError(f"{self.name} failed: {error}") from error

    @contextmanager
    def _pushed(self) -> Iterator[None]:
        if self._depth == 0:
            self._context.push()
            self._given_back.clear()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._context.pop()

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Buffer:
        """See `Device`."""
        kind = np.dtype(dtype)
        with self.current():
            memory = _Memory(self._allocated(max(1, int(np.prod(shape)) * kind.itemsize)), self._given_back)
        return Buffer(tuple(shape), kind, memory.address, row_bytes_of(tuple(shape), kind), memory)

    def _allocated(self, count: int) -> Any:
        try:
            return self._cuda.mem_alloc(count)
        except self._cuda.MemoryError:
            self._given_back.clear()  # what is free by now, and waits for its turn
            return self._cuda.mem_alloc(count)

    def upload(self, host: NDArray[Any], to: Buffer) -> None:
        """See `Device`: through pinned memory, which is used again once its copy has been made."""
        source = np.ascontiguousarray(host)
        require_copyable(source, to)
        slot = self._slots[self._next]
        self._next = (self._next + 1) % SLOTS
        with self.current():
            pinned = slot.room(source.nbytes)
            pinned[...] = source.reshape(-1).view(np.uint8)
            self._cuda.memcpy_htod_async(to.address, pinned, self._stream)
            slot.copied.record(self._stream)

    def download(self, buffer: Buffer) -> NDArray[Any]:
        """See `Device`: the array lies in pinned memory, which is used again once nobody looks at it any more."""
        require_packed(buffer)
        free = self._homes.setdefault(buffer.nbytes, deque())
        with self.current():
            pinned = free.pop() if free else self._cuda.pagelocked_empty((max(1, buffer.nbytes),), np.uint8)
            self._cuda.memcpy_dtoh_async(pinned, buffer.address, self._stream)
            self._stream.synchronize()
        return np.asarray(_Lent(pinned, free))[: buffer.nbytes].view(buffer.dtype).reshape(buffer.shape)

    def copy(self, source: Buffer, to: Buffer) -> None:
        """See `Device`."""
        require_copyable(source, to)
        with self.current():
            self._cuda.memcpy_dtod_async(to.address, source.address, to.nbytes, self._stream)

    def launch(self, kernel: str, function: str, grid: Sides, block: Sides, *arguments: Any) -> None:
        """See `Device`."""
        if 0 in grid:  # an error to CUDA
            return
        with self.current():
            ready = self._function(kernel, function, arguments)
            values = [a.address if isinstance(a, Buffer) else a for a in arguments]
            ready.prepared_async_call(grid, block, self._stream, *values)

    def recorded(self, launches: Callable[[], None]) -> Work:
        """See `Device`: a CUDA graph. What is launched has to have run once before, so that nothing is loaded meanwhile."""
        return _Graph(self, launches)

    def synchronize(self) -> None:
        """See `Device`."""
        with self.current():
            self._stream.synchronize()

    def times_ms(self, work: Callable[[], None], rounds: int, repeats: int = 1) -> list[float]:
        """How long the GPU worked on each of so many rounds, by its own events. A short work is repeated within a round, whose
        mean it is then, or the time would be that of the launch."""
        with self.current():
            events = [(self._cuda.Event(), self._cuda.Event()) for _ in range(rounds)]
            for begin, end in events:
                begin.record(self._stream)
                for _ in range(repeats):
                    work()
                end.record(self._stream)
            self._stream.synchronize()
            return [float(end.time_since(begin)) / repeats for begin, end in events]

    def _function(self, kernel: str, function: str, arguments: tuple[Any, ...]) -> Any:
        key = kernel, function
        if key not in self._functions:
            ready = self._module(kernel).get_function(function)
            ready.prepare("".join("P" if isinstance(a, Buffer) else CODES[a.dtype.name] for a in arguments))
            self._functions[key] = ready
        return self._functions[key]

    def _module(self, kernel: str) -> Any:
        if kernel not in self._modules:
            self._modules[kernel] = self._cuda.module_from_buffer(compiled(kernel, self.generation))
        return self._modules[kernel]


class _Memory:
    """An allocation. PyCUDA can free it only where its context is current, and the last who holds it may be any thread."""

    def __init__(self, allocation: Any, given_back: deque[Any]) -> None:
        self.address = int(allocation)
        self._allocation, self._given_back = allocation, given_back

    def __del__(self) -> None:
        self._given_back.append(self._allocation)


class _Lent:
    """Pinned memory as an array. Its views hold on to this, not to the memory, which goes back when the last of them is gone."""

    def __init__(self, pinned: NDArray[np.uint8], back: deque[NDArray[np.uint8]]) -> None:
        self.__array_interface__ = pinned.__array_interface__
        self._pinned, self._back = pinned, back

    def __del__(self) -> None:
        self._back.append(self._pinned)


class _Slot:
    """Pinned memory that grows, and when its last copy was made."""

    def __init__(self, cuda: Any) -> None:
        self._cuda, self._bytes = cuda, np.empty(0, np.uint8)
        self.copied = cuda.Event(cuda.event_flags.DISABLE_TIMING)

    def room(self, count: int) -> NDArray[np.uint8]:
        """So many bytes that nobody reads any more."""
        self.copied.synchronize()  # returns at once where nothing was recorded
        if self._bytes.nbytes < count:
            self._bytes = self._cuda.pagelocked_empty((count,), np.uint8)
        return self._bytes[:count]


class _Graph:
    """Launches, captured once."""

    def __init__(self, gpu: Gpu, launches: Callable[[], None]) -> None:
        driver = _graph_driver()
        self._gpu, self._driver = gpu, driver
        self._stream = driver.CUstream(gpu.stream)
        mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        with gpu.current(), _nothing_collected():
            self._checked(driver.cuStreamBeginCapture(self._stream, mode))
            try:
                launches()
            finally:
                graph = self._checked(driver.cuStreamEndCapture(self._stream))
            self._ready = self._checked(driver.cuGraphInstantiate(graph, 0))
            self._checked(driver.cuGraphDestroy(graph))

    def __del__(self) -> None:
        if hasattr(self, "_ready"):
            with suppress(DeviceError), self._gpu.current():
                self._driver.cuGraphExecDestroy(self._ready)

    def __call__(self) -> None:
        """Queue all of it."""
        with self._gpu.current():
            self._checked(self._driver.cuGraphLaunch(self._ready, self._stream))

    def _checked(self, answer: tuple[Any, ...]) -> Any:
        error, *rest = answer
        if error != self._driver.CUresult.CUDA_SUCCESS:
            raise DeviceError(f"{self._gpu.name} refuses a graph: {error}")
        return rest[0] if rest else None


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """No garbage is collected meanwhile: what frees memory of the GPU would end a capture."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _driver() -> Any:
    try:
        import pycuda.driver as cuda
    except ImportError as error:
        raise DeviceError(f"PyCUDA can't be used: {error}") from error
    return cuda


def _graph_driver() -> Any:
    try:
        from cuda.bindings import driver
    except ImportError as error:
        raise DeviceError(f"NVIDIA's bindings can't be used: {error}") from error
    return driver

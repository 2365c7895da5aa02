"""Where CUDA kernels run: what a device is, and arrays that lie on one.

`gpu.py` is a device with a GPU; `emulated.py` runs the same sources on the CPU, for tests and for machines without one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

Sides = tuple[int, int, int]


class DeviceError(Exception):
    """A device can't be used, or was lost; the message says what was wanted and what came."""


class OutOfMemoryError(DeviceError):
    """The device has no memory left for an array."""


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """An array on a device, or a rectangle of one. Rows may lie further apart than they are long."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    address: int
    row_bytes: int  # from one row, an index of the first axis, to the next
    memory: object  # keeps what lies at the address alive

    @property
    def nbytes(self) -> int:
        """What its elements take without gaps."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def packed(self) -> bool:
        """There are no gaps between rows."""
        return len(self.shape) == 0 or self.row_bytes * self.shape[0] == self.nbytes

    def part(self, left: int, top: int, width: int, height: int) -> Buffer:
        """A rectangle of a picture (height, width, ...), sharing its memory. ValueError where it does not lie within."""
        if left < 0 or top < 0 or left + width > self.shape[1] or top + height > self.shape[0]:
            raise ValueError(f"{width} x {height} at {left}, {top} is not within {self.shape[1]} x {self.shape[0]}")
        pixel_bytes = prod(self.shape[2:]) * self.dtype.itemsize
        address = self.address + top * self.row_bytes + left * pixel_bytes
        return replace(self, shape=(height, width, *self.shape[2:]), address=address)

    def seen_as(self, shape: tuple[int, ...], dtype: DTypeLike, offset_bytes: int = 0) -> Buffer:
        """Another array in the same memory, without gaps. ValueError where it would reach beyond."""
        kind = np.dtype(dtype)
        if not self.packed or offset_bytes + prod(shape) * kind.itemsize > self.nbytes:
            raise ValueError(f"{shape} {kind} from byte {offset_bytes} does not fit into {self.nbytes} bytes")
        return Buffer(shape, kind, self.address + offset_bytes, row_bytes_of(shape, kind), self.memory)


def row_bytes_of(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Of an array without gaps."""
    return prod(shape[1:]) * dtype.itemsize


class Work(Protocol):
    """Recorded launches that can be done again."""

    def __call__(self) -> None:
        """Queue them."""
        ...


class Device(Protocol):
    """Runs kernels in the order in which they are asked for. Whatever belongs together is done while it is `current()`."""

    name: str

    def current(self) -> AbstractContextManager[Any]:
        """While this lasts the calling thread, and no other, uses the device."""
        ...

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Buffer:
        """An array of anything, whose address is a multiple of 256. OutOfMemoryError when there is no room."""
        ...

    def upload(self, host: NDArray[Any], to: Buffer) -> None:
        """Queue a copy to an array without gaps. What `host` holds when this returns is what arrives."""
        ...

    def download(self, buffer: Buffer) -> NDArray[Any]:
        """Wait for everything; a new array with what one without gaps holds. ValueError where there are gaps."""
        ...

    def copy(self, source: Buffer, to: Buffer) -> None:
        """Queue a copy from one array without gaps to another of its size."""
        ...

    def launch(self, kernel: str, function: str, grid: Sides, block: Sides, *arguments: Any) -> None:
        """Queue a function of `kernels/KERNEL/KERNEL.cu`. Arguments are buffers and NumPy scalars, typed as there."""
        ...

    def recorded(self, launches: Callable[[], None]) -> Work:
        """What `launches` launches and copies on the device, to be done again without it: a CUDA graph where there is one.
        It has to have run once before."""
        ...

    def synchronize(self) -> None:
        """Wait for everything. DeviceError if something failed meanwhile."""
        ...


def uploaded(device: Device, host: NDArray[Any]) -> Buffer:
    """A new array on the device with what `host` holds."""
    buffer = device.empty(host.shape, host.dtype)
    device.upload(host, buffer)
    return buffer


def require_packed(buffer: Buffer) -> None:
    """ValueError unless it is an array without gaps."""
    if not buffer.packed:
        raise ValueError(
            f"only arrays without gaps are copied, not {buffer.shape} with rows {buffer.row_bytes} bytes apart"
        )


def require_copyable(a: Buffer | NDArray[Any], b: Buffer | NDArray[Any]) -> None:
    """ValueError unless both are arrays without gaps, of one size."""
    whole = [x.packed if isinstance(x, Buffer) else x.flags.c_contiguous for x in (a, b)]
    if not all(whole) or a.nbytes != b.nbytes:
        raise ValueError(f"copies need arrays without gaps of one size, not {a.shape} and {b.shape}")


def blocks(length: int, size: int) -> int:
    """How many blocks of a size cover a length."""
    return -(-length // size)

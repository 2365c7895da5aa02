"""Everything that a frame brings to the device, in one piece of memory, so that one copy takes it there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine.render.patch import Patch
from kernels.composite.cuda import PLACED
from kernels.device import Buffer, Device

ALIGNMENT: Final = 16  # of every array in it, bytes: whole words
PATCHES: Final = 3  # mouth and irises


@dataclass(frozen=True, slots=True)
class Field:
    """An array of fixed size in the table."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int

    @property
    def nbytes(self) -> int:
        """Its size."""
        return int(np.prod(self.shape)) * self.dtype.itemsize


class FrameTable:
    """The table of one size of picture: named arrays, then patches, which are as large as they are."""

    def __init__(self, device: Device, fields: dict[str, tuple[tuple[int, ...], DTypeLike]], patch_bytes: int) -> None:
        """`fields` by name: shape and dtype. `patch_bytes` is room for patches, alignment included."""
        self._device = device
        self.fields: dict[str, Field] = {}
        at = 0
        for name, (shape, dtype) in (fields | {"places": ((PATCHES,), PLACED)}).items():
            self.fields[name] = Field(shape, np.dtype(dtype), at)
            at = _aligned(at + self.fields[name].nbytes)
        self._patches_from = at
        self._host = np.zeros(at + patch_bytes, np.uint8)
        self.memory = device.empty(self._host.shape, np.uint8)

    def on_device(self, name: str) -> Buffer:
        """Where an array of the table lies on the device."""
        field = self.fields[name]
        return self.memory.seen_as(field.shape, field.dtype, field.offset)

    def upload(self, values: dict[str, NDArray[Any]], patches: Sequence[Patch]) -> None:
        """Queue the copy of a frame. ValueError where patches take more room than there is."""
        used = self._place(patches)
        for name, value in values.items():
            field = self.fields[name]
            self._host[field.offset : field.offset + field.nbytes] = (
                np.ascontiguousarray(value, field.dtype).reshape(-1).view(np.uint8)
            )
        self._device.upload(self._host[:used], self.memory.seen_as((used,), np.uint8))

    def _place(self, patches: Sequence[Patch]) -> int:
        """Write patches and where they are; how much of the table is used."""
        places = np.zeros(PATCHES, PLACED)
        at = self._patches_from
        for place, patch in zip(places, patches, strict=False):
            rows, columns = patch.matte.shape
            place["rows"], place["columns"], place["left"], place["top"] = rows, columns, patch.left, patch.top
            for name, pixels in (("layer", patch.bgr), ("matte", patch.matte)):
                end = at + pixels.nbytes
                if end > len(self._host):
                    raise ValueError(f"patches of more than {len(self._host) - self._patches_from} bytes")
                place[name] = at
                self._host[at:end] = np.ascontiguousarray(pixels).reshape(-1)
                at = min(_aligned(end), len(self._host))
        field = self.fields["places"]
        self._host[field.offset : field.offset + field.nbytes] = places.view(np.uint8)
        return at


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT

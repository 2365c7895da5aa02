"""Networks of the generator where the picture lies on a device: crops and answers stay there if the runtime can use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from kernels.device import Buffer, Device, DeviceError
from models.config import RendererConfig
from models.runtimes import Network, StreamNetwork


@dataclass(frozen=True, slots=True, eq=False)
class DeviceNetwork:
    """A network between two arrays of a device."""

    crops: (
        Buffer  # what it reads: (n, inputs, size, size) float16, or (n, size, size, inputs) uint8; see crop_normalise
    )
    drawn: Buffer  # (n, size, size, outputs) float32
    queue: Callable[[], None]  # have it work after everything that was queued before
    capturable: bool  # its work can be part of a CUDA graph
    network: Network  # kept: what is queued reads its weights where they lie


def on_device(network: Network, config: RendererConfig, count: int, device: Device) -> DeviceNetwork:
    """A network that works on a stream where `device` has one, or one that is sent its crops and sends its answer back.

    DeviceError where it can't be bound to the device; that is also what its queue raises.
    """
    drawn = device.empty((count, config.size_px, config.size_px, config.outputs), np.float32)
    stream = getattr(device, "stream", None)
    if stream is not None and isinstance(network, StreamNetwork):
        crops = device.empty((count, config.inputs, config.size_px, config.size_px), np.float16)
        with _as_device_errors():
            queue = network.bound(crops.address, drawn.address, stream)
        return DeviceNetwork(crops, drawn, _as_device_errors()(queue), network.capturable, network)
    crops = device.empty((count, config.size_px, config.size_px, config.inputs), np.uint8)

    def there_and_back() -> None:
        device.upload(network(device.download(crops)), drawn)

    return DeviceNetwork(crops, drawn, there_and_back, capturable=False, network=network)


@contextmanager
def _as_device_errors() -> Iterator[None]:
    """Every runtime has errors of its own for a GPU that fails."""
    try:
        yield
    except Exception as error:
        raise DeviceError(f"a network failed: {type(error).__name__}: {error}") from error

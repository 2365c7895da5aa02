"""Mode `portrait` with its pixels on a device: a frame's geometry goes up once, the sealed picture comes down once.

What is small and drawn from a few points stays on the CPU (vertices, the inside of the mouth, irises, the drawings that networks
see) and travels in one table; everything that touches the whole picture is a kernel. Between upload and download nothing waits
for the CPU, and what is launched is the same for every frame, so it is recorded once (docs/decisions/019-one-way-up-and-down.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine.face.retarget import Target
from engine.render.crops import Part, crop_matrices, draw_geometries
from engine.render.device_networks import DeviceNetwork, on_device
from engine.render.frame_table import ALIGNMENT, PATCHES, FrameTable
from engine.render.generator import DETAIL, Generator, Networks, places_of, units_of
from engine.render.portrait import JUMP
from engine.render.portrait_view import PortraitView
from engine.render.quality import LADDER, Quality
from engine.render.view import Shown, talking
from engine.trust.seal import Seal
from kernels.composite.cuda import composite, composite_placed
from kernels.crop_normalise.cuda import crop_normalise
from kernels.device import Buffer, Device, DeviceError, Work, uploaded
from kernels.embed_mark.cuda import embed_mark
from kernels.lay_back.cuda import lay_back
from kernels.lay_back.cuda import workspace as lay_back_workspace
from kernels.sample.cuda import sample
from kernels.soften_edges.cuda import soften_edges
from kernels.warp_mesh.cuda import warp_mesh
from kernels.warp_mesh.cuda import workspace as warp_workspace
from models.runtimes import StreamNetwork


@dataclass(frozen=True, slots=True, eq=False)
class _Seal:
    """A seal on the device."""

    pattern: Buffer
    badge: tuple[Buffer, Buffer, int, int] | None  # layer, matte, left, top


@dataclass(frozen=True, slots=True, eq=False)
class _Redrawn:
    """A part that a network redraws."""

    network: DeviceNetwork
    references: Buffer
    units: Buffer
    space: tuple[Buffer, Buffer]


@dataclass(frozen=True, slots=True)
class _Step:
    run: Callable[[], None]
    recordable: bool = True


class DevicePortraitView:
    """See the top of this file. Use it from one thread. A device that fails is left for the CPU, once and for all."""

    def __init__(
        self,
        on_cpu: PortraitView,
        device: Device,
        networks: Networks | None = None,
        tell: Callable[[str], object] = lambda text: None,
    ) -> None:
        """Draw what `on_cpu`, which has to have one photograph, would draw with these `networks`. DeviceError where the device
        has no room for it."""
        self._cpu, self._device, self._tell = on_cpu, device, tell
        self.blend = on_cpu.blend  # of further photographs; there are none
        self._lost = False
        own = [] if on_cpu.networks is None else on_cpu.networks.by_part.values()
        self._shared = any(isinstance(n, StreamNetwork) for n in own)  # networks of the CPU's view would be lost too
        portrait, part = on_cpu.portrait, on_cpu.part
        self._portrait = portrait
        rows, columns = part.height, part.width
        configs = {} if networks is None else {name: networks.config(name) for name in networks.by_part}
        fields: dict[str, tuple[tuple[int, ...], DTypeLike]] = {
            "vertices": ((portrait.vertex_count, 3), np.float32),
            "source": ((portrait.vertex_count, 2), np.float32),
        }
        for name, config in configs.items():
            count, size = len(places_of(name)), config.size_px
            fields |= {
                f"{name} matrices": ((count, 2, 3), np.float32),
                f"{name} drawings": ((count, size, size, 3), np.uint8),
            }
        with device.current():
            self._table = FrameTable(device, fields, PATCHES * (4 * rows * columns + 2 * ALIGNMENT))
            self._canvas = uploaded(device, on_cpu.canvas)
            self._frame = device.empty(self._canvas.shape, np.uint8)
            self._part = self._frame.part(part.left, part.top, columns, rows)
            self._plain = uploaded(device, portrait.photograph.plain)
            self._triangles = uploaded(device, portrait.triangles)
            self._sampled = device.empty((rows, columns, 3), np.uint8)
            self._backward = device.empty((rows, columns, 2), np.float32)
            self._depth = device.empty((rows, columns), np.float32)
            self._keys = warp_workspace(device, rows, columns)
            self._redrawn: dict[Part, _Redrawn] = {}
            if networks is not None:
                generator = Generator(networks, portrait.photograph.picture, portrait.photograph.at_rest)
                self._redrawn = {name: self._prepared(name, networks, generator) for name in configs}
        self._seals: dict[int, tuple[Seal, _Seal]] = {}
        self._works: dict[tuple[bool, bool, int | None], list[Work]] = {}

    @property
    def drawn_on(self) -> str:
        """What draws: the device's name, or cpu."""
        return "cpu" if self._lost else self._device.name

    def draw(self, shown: Shown, quality: Quality = LADDER[0]) -> NDArray[np.uint8]:
        """A new canvas (height, width, 3), without a seal."""
        return self.draw_sealed(shown, quality, None)

    def draw_sealed(self, shown: Shown, quality: Quality, seal: Seal | None) -> NDArray[np.uint8]:
        """A new canvas with badge and mark."""
        if not self._lost:
            try:
                with self._device.current():
                    return self._draw(shown, quality, seal)
            except DeviceError as error:
                self._lost = True
                self._works.clear()
                self._redrawn.clear()
                self._seals.clear()
                self._tell(f"drawing on the CPU from now on: {error}")
        left = replace(quality, generator=False) if self._shared else quality
        picture = self._cpu.draw(shown, left)
        if seal is not None:
            seal.set(picture)
        return picture

    def again(self, quality: Quality, seal: Seal | None) -> None:
        """Queue once more what the last picture of this quality and seal had queued on the device: to be timed."""
        for work in self._works[self._key(quality, seal)]:
            work()

    def rehearse(self, quality: Quality) -> None:
        """Draw an open mouth, of which nothing is kept."""
        self.draw(Shown(talking(), 0.0), quality)

    def _prepared(self, part: Part, networks: Networks, generator: Generator) -> _Redrawn:
        places, config = places_of(part), networks.config(part)
        network = on_device(networks.by_part[part], config, len(places), self._device)
        references = uploaded(self._device, generator.references[part])
        units = uploaded(self._device, units_of(places, generator.unit_px, config.size_px))
        return _Redrawn(network, references, units, lay_back_workspace(self._device, len(places), config.size_px))

    def _draw(self, shown: Shown, quality: Quality, seal: Seal | None) -> NDArray[np.uint8]:
        target = self._portrait.face.retarget(shown.performance)
        self._upload(target)
        key = self._key(quality, seal)
        if key in self._works:
            self.again(quality, seal)
        else:
            self._works[key] = self._first(key[0], key[1], seal)
        return self._device.download(self._frame)

    def _key(self, quality: Quality, seal: Seal | None) -> tuple[bool, bool, int | None]:
        """What decides what is launched: smooth edges, networks, and which seal."""
        return quality.smooth_edges, quality.generator and bool(self._redrawn), None if seal is None else id(seal)

    def _upload(self, target: Target) -> None:
        vertices, source = self._portrait.placed(target)
        values: dict[str, NDArray[Any]] = {"vertices": vertices, "source": source}
        for part, redrawn in self._redrawn.items():
            size, places = redrawn.references.shape[1], places_of(part)
            matrices = crop_matrices(places, target, size)
            values[f"{part} matrices"] = matrices
            values[f"{part} drawings"] = draw_geometries(places, target, matrices, size)
        height, width = self._part.shape[:2]
        self._table.upload(values, self._portrait.photograph.layers(target, width, height))

    def _first(self, smooth: bool, networks: bool, seal: Seal | None) -> list[Work]:
        """Draw for the first time, and keep how: launches that follow each other are recorded together."""
        steps = [_Step(lambda: self._warp(smooth))]
        for part, redrawn in self._redrawn.items() if networks else ():
            steps += self._redraw(part, redrawn)
        if seal is not None:
            ready = self._on_device(seal)
            steps.append(_Step(lambda: self._set(ready)))
        works: list[Work] = []
        for recordable, group in groupby(steps, lambda step: step.recordable):
            runs = [step.run for step in group]

            def together(runs: list[Callable[[], None]] = runs) -> None:
                for run in runs:
                    run()

            together()
            works.append(self._recorded(together) if recordable else together)
        return works

    def _recorded(self, launches: Callable[[], None]) -> Work:
        """Launches to be done again; as they are where a network refuses to be recorded."""
        try:
            return self._device.recorded(launches)
        except DeviceError:
            return launches

    def _warp(self, smooth: bool) -> None:
        """The photograph's skin, then mouth and irises."""
        device, table = self._device, self._table
        device.copy(self._canvas, self._frame)
        vertices, source = table.on_device("vertices"), table.on_device("source")
        warp_mesh(device, vertices, source, self._triangles, self._backward, self._depth, self._keys)
        if smooth:
            sample(device, self._plain, self._backward, self._sampled)
            soften_edges(device, self._sampled, self._backward, JUMP * self._portrait.face.pose.scale, self._part)
        else:
            sample(device, self._plain, self._backward, self._part)
        for index in range(PATCHES):
            composite_placed(device, self._part, table.memory, table.on_device("places"), index)

    def _redraw(self, part: Part, redrawn: _Redrawn) -> list[_Step]:
        device, network = self._device, redrawn.network
        matrices, drawings = (self._table.on_device(f"{part} {name}") for name in ("matrices", "drawings"))

        def cut() -> None:
            crop_normalise(
                device, self._part, self._backward, matrices, drawings, redrawn.references, redrawn.units, network.crops
            )

        def lay() -> None:
            lay_back(device, self._part, network.drawn, network.crops, matrices, DETAIL[part], redrawn.space)

        return [_Step(cut), _Step(network.queue, network.capturable), _Step(lay)]

    def _on_device(self, seal: Seal) -> _Seal:
        if id(seal) not in self._seals:  # kept with it, so that no other one can have its number
            badge, device = seal.badge, self._device
            drawn = None
            if badge is not None:
                drawn = uploaded(device, badge.layer), uploaded(device, badge.matte), badge.left, badge.top
            self._seals[id(seal)] = seal, _Seal(uploaded(device, seal.pattern), drawn)
        return self._seals[id(seal)][1]

    def _set(self, seal: _Seal) -> None:
        if seal.badge is not None:
            composite(self._device, self._frame, *seal.badge)
        embed_mark(self._device, self._frame, seal.pattern)

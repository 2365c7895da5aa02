"""`blend_poisson` on a CUDA device; see the package for the contract."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kernels.device import Buffer, Device, Sides, blocks, uploaded

ROUNDS = 10  # at most, as on the CPU
NESTED_SWEEPS = 2
COARSEST = 4  # px of a level's smaller side
TAIL_CELLS = 64 * 64  # a level of so many cells, and all under it, are one thread block's work
TAIL_THREADS = 512
BLOCK = (32, 8, 1)
THREADS = 256
SUMS = 128  # thread blocks that share an inner product
LEVEL = np.dtype([("inside", "u8"), ("u", "u8"), ("f", "u8"), ("r", "u8"), ("height", "i4"), ("width", "i4")])
STATE_BYTES = 64


@dataclass(frozen=True, slots=True, eq=False)
class Workspace:
    """Levels, finest first, and what conjugate gradients keep, for pictures of one size."""

    shapes: list[tuple[int, int]]
    kept: list[Buffer]  # what `levels` points to
    levels: Buffer
    u: Buffer
    p: Buffer
    pushed: Buffer
    sums: Buffer
    state: Buffer
    z: Buffer  # the finest level's correction
    r: Buffer  # and its right side

    @property
    def tail(self) -> int:
        """The first level that is one thread block's work."""
        small = (i for i, (h, w) in enumerate(self.shapes) if i and h * w <= TAIL_CELLS)
        return min(next(small, len(self.shapes) - 1), len(self.shapes) - 1)


def workspace(device: Device, height: int, width: int) -> Workspace:
    """What the kernel writes between its passes."""
    shapes = [(height, width)]
    while min(shapes[-1]) > COARSEST:
        shapes.append(((shapes[-1][0] + 1) // 2, (shapes[-1][1] + 1) // 2))
    table = np.zeros(len(shapes), LEVEL)
    kept: list[Buffer] = []
    for row, shape in zip(table, shapes, strict=True):
        arrays = [device.empty(shape, np.uint8), *(device.empty((*shape, 4), np.float32) for _ in range(3))]
        for name, array in zip(("inside", "u", "f", "r"), arrays, strict=True):
            row[name] = array.address
        row["height"], row["width"] = shape
        kept += arrays
    u, p, pushed = (device.empty((height, width, 4), np.float32) for _ in range(3))
    sums, state = device.empty((SUMS, 4), np.float32), device.empty((STATE_BYTES,), np.uint8)
    return Workspace(shapes, kept, uploaded(device, table), u, p, pushed, sums, state, kept[1], kept[2])


@dataclass(frozen=True, slots=True)
class _Launcher:
    """Launches of one picture's solution."""

    device: Device
    space: Workspace

    def over(self, level: int, function: str, *arguments: object) -> None:
        """A thread for each cell of a level."""
        height, width = self.space.shapes[level]
        grid = (blocks(width, BLOCK[0]), blocks(height, BLOCK[1]), 1)
        self.device.launch("blend_poisson", function, grid, BLOCK, *arguments)

    def along(self, function: str, *arguments: object) -> None:
        """A thread for each pixel, in one row."""
        count = self.space.shapes[0][0] * self.space.shapes[0][1]
        grid = (blocks(count, THREADS), 1, 1)
        self.device.launch(
            "blend_poisson", function, grid, (THREADS, 1, 1), *arguments, np.int32(count), self.space.state
        )

    def alone(self, function: str, threads: int, *arguments: object) -> None:
        """One thread block."""
        one: Sides = (1, 1, 1)
        self.device.launch("blend_poisson", function, one, (threads, 1, 1), *arguments)

    def product(self, a: Buffer, b: Buffer, then: str) -> None:
        """Inner products, and what becomes of them."""
        count = np.int32(a.shape[0] * a.shape[1])
        s = self.space
        self.device.launch("blend_poisson", "products", (SUMS, 1, 1), (THREADS, 1, 1), a, b, count, s.sums, s.state)
        self.alone(then, 1, s.sums, np.int32(SUMS), s.state)

    def sweeps(self, level: int, unknowns: Buffer | np.uint64, colours: tuple[int, ...]) -> None:
        """Half sweeps of a level."""
        for colour in colours:
            self.over(level, "sweep", self.space.levels, np.int32(level), unknowns, np.int32(colour), self.space.state)

    def guess(self) -> None:
        """What is unknown of `u`, from the coarsest level upwards."""
        s, last = self.space, np.int32(len(self.space.shapes) - 1)
        for level in range(s.tail):
            self.over(level + 1, "known", s.levels, np.int32(level), self._unknowns(level))
        self.alone("tail_guess", TAIL_THREADS, s.levels, np.int32(s.tail), last)
        for level in reversed(range(s.tail)):
            self.over(level, "correct", s.levels, np.int32(level), self._unknowns(level), s.state)
            self.sweeps(level, self._unknowns(level), (0, 1) * NESTED_SWEEPS)

    def cycle(self) -> None:
        """A V-cycle, the same forwards and backwards, as a preconditioner must be."""
        s, own, last = self.space, np.uint64(0), np.int32(len(self.space.shapes) - 1)
        for level in range(s.tail):
            self.sweeps(level, own, (0, 1))
            self.over(level, "residual", s.levels, np.int32(level), s.state)
            self.over(level + 1, "restrict_down", s.levels, np.int32(level), s.state)
        self.alone("tail_cycle", TAIL_THREADS, s.levels, np.int32(s.tail), last, s.state)
        for level in reversed(range(s.tail)):
            self.over(level, "correct", s.levels, np.int32(level), own, s.state)
            self.sweeps(level, own, (1, 0))

    def _unknowns(self, level: int) -> Buffer | np.uint64:
        return self.space.u if level == 0 else np.uint64(0)

    def round(self) -> None:
        """A step of conjugate gradients."""
        s = self.space
        self.over(0, "nothing_yet", s.levels, s.state)
        self.cycle()
        self.product(s.r, s.z, "lean")
        self.along("turn", s.p, s.z)
        self.over(0, "push", s.levels, s.p, s.pushed, s.state)
        self.product(s.p, s.pushed, "stride")
        self.along("step", s.u, s.r, s.p, s.pushed)


def blend_poisson(
    device: Device, canvas: Buffer, layer: Buffer, mask: Buffer, out: Buffer, space: Workspace | None = None
) -> None:
    """See the package. `space` is the `workspace`; without it there is a new one."""
    space = workspace(device, mask.shape[0], mask.shape[1]) if space is None else space
    run = _Launcher(device, space)
    run.over(0, "begin", canvas, layer, mask, space.levels, space.u, space.state)
    for level in range(len(space.shapes) - 1):
        run.over(level + 1, "coarsen", space.levels, np.int32(level))
    if len(space.shapes) == 1:  # nothing but rim, or nearly
        run.sweeps(0, space.u, (0, 1) * 24)
    else:
        run.guess()
        run.over(0, "set_out", space.levels, space.u, space.p)
        for _ in range(ROUNDS):
            run.round()
    run.over(0, "finish", canvas, layer, space.levels, space.u, out)

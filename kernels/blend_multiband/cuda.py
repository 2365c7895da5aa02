"""`blend_multiband` on a CUDA device; see the package for the contract."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from kernels.device import Buffer, Device, Sides, blocks

BLOCK = (32, 8, 1)


def workspace(device: Device, height: int, width: int, levels: int) -> list[Buffer]:
    """The pyramid of differences, finest first."""
    shapes = [(height, width)]
    for _ in range(levels):
        if min(shapes[-1]) < 4:
            break
        shapes.append(((shapes[-1][0] + 1) // 2, (shapes[-1][1] + 1) // 2))
    return [device.empty((*shape, 4), np.float32) for shape in shapes]


def _grid(level: Buffer) -> Sides:
    return blocks(level.shape[1], BLOCK[0]), blocks(level.shape[0], BLOCK[1]), 1


def _shape(level: Buffer) -> tuple[np.int32, np.int32]:
    return np.int32(level.shape[0]), np.int32(level.shape[1])


def blend_multiband(
    device: Device,
    canvas: Buffer,
    layer: Buffer,
    matte: Buffer,
    levels: int,
    out: Buffer,
    pyramid: list[Buffer] | None = None,
) -> None:
    """See the package. `pyramid` is the `workspace`; without it there is a new one."""
    pyramid = workspace(device, matte.shape[0], matte.shape[1], levels) if pyramid is None else pyramid
    finest = pyramid[0]

    def run(function: str, level: Buffer, *arguments: object) -> None:
        device.launch("blend_multiband", function, _grid(level), BLOCK, *arguments)

    run("begin", finest, canvas, layer, matte, finest, *_shape(finest))
    for fine, coarse in pairwise(pyramid):
        run("down", coarse, fine, *_shape(fine), coarse, *_shape(coarse))
        run("band", fine, fine, *_shape(fine), coarse, *_shape(coarse))
    run("mix", pyramid[-1], pyramid[-1], *_shape(pyramid[-1]))
    for coarse, fine in pairwise(pyramid[::-1]):
        run("add", fine, fine, *_shape(fine), coarse, *_shape(coarse))
    run("finish", finest, canvas, finest, out, *_shape(finest))

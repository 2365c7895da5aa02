"""What training is fed with: the newest of what other processes make, drawn from at random and used several times."""

from __future__ import annotations

import multiprocessing as mp
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

READY = 20  # batches that a run begins with
Units = Callable[[int], Iterable[NDArray[np.uint8]]]  # an endless supply, of a seed; it travels to other processes


@dataclass(frozen=True, slots=True)
class Supply:
    """How a pool is kept."""

    shape: tuple[int, ...]  # of one unit, uint8
    batch: int  # units of a batch
    kept: int  # units; the oldest makes room
    uses: int  # of each, on average, before more are asked for


class Pool:
    """Units from processes of their own."""

    def __init__(self, units: Units, supply: Supply, workers: int) -> None:
        """ValueError without any of the `workers`, of which each is a process."""
        if workers < 1:
            raise ValueError(f"{workers} processes make no units: one at least is needed")
        self._supply = supply
        self._units = np.empty((supply.kept, *supply.shape), np.uint8)
        self.made, self._used = 0, 0
        context = mp.get_context("spawn")
        self._queue: Any = context.Queue(64)
        seeds = [int(time.time()) + number for number in range(workers)]
        self._makers: list[Any] = [
            context.Process(target=_make, args=(units, self._queue, seed), daemon=True) for seed in seeds
        ]
        for maker in self._makers:
            maker.start()
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self) -> None:
        supply = self._supply
        while True:
            if self.made > max(READY * supply.batch, self._used / supply.uses):
                time.sleep(0.02)  # the makers wait too once their queue is full
                continue
            self._units[self.made % supply.kept] = self._queue.get()
            self.made += 1

    def batch(self, random: np.random.Generator) -> NDArray[np.uint8]:
        """(batch, ...): waits while there is too little to begin with. RuntimeError when a maker has ended."""
        supply = self._supply
        while True:
            ended = [maker.exitcode for maker in self._makers if maker.exitcode is not None]
            if ended:
                raise RuntimeError(f"a process that makes units ended with {ended[0]}: see above, and check --data")
            if self.made >= READY * supply.batch:
                break
            time.sleep(0.2)
        self._used += supply.batch
        return self._units[random.integers(min(self.made, supply.kept), size=supply.batch)]


def _make(units: Units, queue: Any, seed: int) -> None:
    numba.set_num_threads(1)
    cv2.setNumThreads(1)
    for unit in units(seed):
        queue.put(unit)

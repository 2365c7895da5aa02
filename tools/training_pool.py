"""What training is fed with: the newest of what other processes make, drawn from at random and used several times."""

from __future__ import annotations

import multiprocessing as mp
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from queue import Full
from typing import Any, Protocol

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

READY = 20  # batches that a run begins with
SENT = 16  # units at a time, from a process that makes them
LONGEST_WAIT_S = 5.0  # for room in the queue, before it looks whether anybody trains
Index = NDArray[np.int64]
Units = Callable[[int], Iterable[NDArray[np.uint8]]]  # an endless supply, of a seed; it travels to other processes


@dataclass(frozen=True, slots=True)
class Supply:
    """How a pool is kept."""

    shape: tuple[int, ...]  # of one unit, uint8
    batch: int  # units of a batch
    kept: int  # units; the oldest makes room
    uses: int  # of each, on average, before more are asked for


def shared_out(workers: int, supplies: int) -> list[int]:
    """How many of the processes make units for each of so many supplies. ValueError where there are fewer than those."""
    if workers < supplies:
        raise ValueError(f"--workers {workers}: wanted is one at least for each of {supplies} sizes of crops")
    return [len(range(number, workers, supplies)) for number in range(supplies)]


class Store(Protocol):
    """Where units lie: an array of NumPy's, or one on a GPU (`tools/training_run.py`)."""

    def __getitem__(self, index: Index, /) -> Any:
        """(n, ...) units."""
        ...

    def __setitem__(self, index: Index, units: NDArray[np.uint8], /) -> None:
        """Keep (n, ...) units."""
        ...


class Pool:
    """Units from processes of their own."""

    def __init__(self, units: Units, supply: Supply, workers: int, store: Store | None = None) -> None:
        """Kept in `store`, which has room for `supply.kept`, or else in an array of its own. ValueError without any of the
        `workers`, of which each is a process."""
        if workers < 1:
            raise ValueError(f"{workers} processes make no units: one at least is needed")
        self._supply = supply
        self._units: Any = np.empty((supply.kept, *supply.shape), np.uint8) if store is None else store
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
            units = self._queue.get()
            self._units[(self.made + np.arange(len(units))) % supply.kept] = units
            self.made += len(units)

    def batch(self, random: np.random.Generator) -> Any:
        """(batch, ...), as its store gives it. Waits while there is too little; RuntimeError when a maker has ended."""
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
    queue.cancel_join_thread()
    endless = iter(units(seed))
    while (some := list(islice(endless, SENT))) and _handed_over(queue, np.stack(some)):
        pass


def _handed_over(queue: Any, units: NDArray[np.uint8]) -> bool:
    """Wait for room in the queue; False once the process that trains is gone, even if it was killed."""
    trains = mp.parent_process()
    while trains is None or trains.is_alive():
        try:
            queue.put(units, timeout=LONGEST_WAIT_S)
        except Full:
            continue
        return True
    return False

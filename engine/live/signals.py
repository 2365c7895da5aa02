"""What other programs may tell a run by signals."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def heard(recapture: Callable[[], None]) -> Iterator[None]:
    """Meanwhile SIGTERM ends a run as Ctrl-C does, and SIGUSR1 takes a new neutral, for machines without a window. Signals come
    to the main thread alone: in others nothing happens."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted: dict[int, Callable[..., None]] = {signal.SIGTERM: signal.default_int_handler}
    if hasattr(signal, "SIGUSR1"):
        wanted[signal.SIGUSR1] = lambda *_: recapture()
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        with _interrupting_another_thread(wanted):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _interrupting_another_thread(numbers: Iterable[int]) -> Iterator[None]:
    """Meanwhile the signals arrive in a thread of their own; their handlers run in the main thread as ever.

    OpenVINO gives the thread that loads it a stack for signals that holds the AMX registers once: a second signal that
    interrupts the first ends the process there.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    over = threading.Event()
    interrupted = threading.Thread(target=over.wait, name="signals", daemon=True)
    interrupted.start()  # before they are blocked: threads begin with what their maker blocks
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        over.set()
        interrupted.join()

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
        with _sparing_this_thread(wanted):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _sparing_this_thread(numbers: Iterable[int]) -> Iterator[None]:
    """Meanwhile the signals interrupt other threads, of which one is started so that there is one; their handlers run in the main
    thread as ever. Programs that are started meanwhile begin with these signals blocked.

    OpenVINO gives the thread that loads it a stack for signals that holds the AMX registers once: a second signal that
    interrupts the first ends the process there. SIGINT stays, as the only one.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before, over = signal.pthread_sigmask(signal.SIG_BLOCK, []), threading.Event()
    other = threading.Thread(target=over.wait, name="signals", daemon=True)
    other.start()  # before they are blocked: threads begin with what their maker blocks
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        yield
    finally:
        over.set()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        other.join()

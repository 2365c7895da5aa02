"""What other programs may tell a run by signals."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

Handler = Callable[..., None] | signal.Handlers
RECAPTURE: Final = getattr(signal, "SIGUSR1", None)  # not on Windows, where there is no SIGHUP either
ENDS: Final = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


@contextmanager
def heard(recapture: Callable[[], None]) -> Iterator[None]:
    """Meanwhile SIGTERM and SIGHUP end a run as Ctrl-C does, and SIGUSR1 takes a new neutral, for machines without a window. What
    was ignored before, as SIGHUP by nohup, stays so. Signals come to the main thread alone: in others nothing happens."""
    wanted: dict[int, Handler] = {
        number: signal.default_int_handler for number in ENDS if signal.getsignal(number) is not signal.SIG_IGN
    }
    if RECAPTURE is not None:
        wanted[RECAPTURE] = lambda *_: recapture()
    with _handled(wanted), _sparing_this_thread(wanted):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Meanwhile no signal ends the program: what was recorded is being written."""
    numbers = [signal.SIGINT, *ENDS, *([] if RECAPTURE is None else [RECAPTURE])]
    with _handled(dict.fromkeys(numbers, signal.SIG_IGN)):
        yield


def ignore_early_recapture() -> None:
    """From now on SIGUSR1, which would end the program, says nothing: before a face was seen there is no neutral to be taken."""
    if RECAPTURE is not None:
        signal.signal(RECAPTURE, signal.SIG_IGN)


@contextmanager
def _handled(wanted: Mapping[int, Handler]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
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
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
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

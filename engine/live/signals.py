"""What other programs may tell a run by signals."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final, NoReturn

Handler = Callable[..., None] | signal.Handlers
RECAPTURE: Final = getattr(signal, "SIGUSR1", None)  # not on Windows
HANG_UP: Final = getattr(signal, "SIGHUP", None)  # likewise
ENDS: Final = [number for number in (signal.SIGINT, signal.SIGTERM, HANG_UP) if number is not None]


@contextmanager
def heard(recapture: Callable[[], None]) -> Iterator[None]:
    """Meanwhile SIGTERM and SIGHUP end a run as Ctrl-C does, by one KeyboardInterrupt, and SIGUSR1 takes a new neutral, for
    machines without a window. What was ignored before, as SIGHUP by nohup, stays so. Signals come to the main thread alone:
    in others nothing happens."""
    wanted: dict[int, Handler] = {
        number: _end if number != HANG_UP else _end_without_terminal
        for number in ENDS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    if RECAPTURE is not None:
        wanted[RECAPTURE] = lambda *_: recapture()
    with _handled(wanted), _sparing_this_thread(wanted.keys() - {signal.SIGINT}):
        yield


def _end(*_: object) -> NoReturn:
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)  # it ends already
    raise KeyboardInterrupt


def _end_without_terminal(*_: object) -> NoReturn:
    """What is printed from now on goes nowhere: the terminal is gone, and writing to it would fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, none, or not one of the system's
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    _end()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Meanwhile no signal ends the program: what was recorded is being written."""
    numbers = [number for number in (*ENDS, RECAPTURE) if number is not None]
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

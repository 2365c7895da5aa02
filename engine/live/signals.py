"""What other programs may tell a run by signals."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
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
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

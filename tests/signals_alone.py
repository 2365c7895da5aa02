"""What signals do, in a process of its own: called by `test_live.py`, since a signal that nobody handles ends a process."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from itertools import repeat

import pytest

from engine.live.signals import heard, ignore_early_recapture, undisturbed


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no signal masks on this system")
def test_signals_interrupt_another_thread_than_the_main_one() -> None:
    came = threading.Event()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with heard(came.set):
        assert {signal.SIGTERM, signal.SIGUSR1} <= signal.pthread_sigmask(signal.SIG_BLOCK, [])
        os.kill(os.getpid(), signal.SIGUSR1)
        assert any(came.wait(0.01) for _ in range(1000))  # handlers run between two waits
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
            until_interrupted()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


@pytest.fixture
def counting() -> Iterator[list[int]]:
    """The signals that came while nobody else handled them."""
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in numbers}
    yield came
    for number, handler in before.items():
        signal.signal(number, handler)


def until_interrupted() -> None:
    for wait in repeat(threading.Event().wait, 1000):
        wait(0.01)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signals on this system")
def test_signals_do_not_disturb_who_writes_a_recording(counting: list[int]) -> None:
    with undisturbed():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            os.kill(os.getpid(), number)
    assert counting == []
    os.kill(os.getpid(), signal.SIGTERM)
    assert counting == [signal.SIGTERM]  # as before


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signals on this system")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_run_is_ended_once(counting: list[int], name: str) -> None:
    with heard(lambda: None):
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.Signals[name])
            until_interrupted()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), number)  # while it ends
        threading.Event().wait(0.05)
    assert counting == []


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signals on this system")
def test_what_was_ignored_stays_ignored(counting: list[int]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as by nohup
    ignore_early_recapture()
    os.kill(os.getpid(), signal.SIGUSR1)
    with heard(lambda: None):
        os.kill(os.getpid(), signal.SIGHUP)
        threading.Event().wait(0.05)
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN

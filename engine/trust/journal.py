"""The log: when which puppet was live, and where it went. On the user's own disk, without a picture, only ever added to.

One JSON object a line, with the id of its run. Each carries the hash of the line before it, so that one that was
changed or taken out by itself shows. Whoever writes all that follows anew, or takes lines off the end, is not seen: it
is the user's own log.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from engine.errors import OutputError
from engine.home import home

PATIENCE_S: Final = 5.0  # for another mimicam that is writing
LARGEST_LINE_BYTES: Final = 64 * 1024
FIRST: Final = "0" * 64


def log_path() -> Path:
    """Where it is."""
    return home("log") / "log.jsonl"


@dataclass(frozen=True, slots=True)
class Break:
    """The first line that is not as it was written."""

    line: int  # counted from 1
    what: str


class Journal:
    """Adds to the log."""

    def __init__(self, path: Path | None = None) -> None:
        """OutputError where it can't be written."""
        self._path, self._run = path or log_path(), secrets.token_hex(4)
        self.add("started")

    def add(self, event: str, **what: Any) -> None:
        """One line, on the disk when this returns. OutputError where that can't be."""
        at = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        entry = {"at": at, "run": self._run, "event": event} | what
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self._path.with_suffix(".lock"), PATIENCE_S), self._path.open("a+b") as file:
                file.write(_line(entry, _last_hash(file)))
                file.flush()
                os.fsync(file.fileno())
        except (OSError, Timeout) as error:
            raise OutputError(
                wanted=f"to write the log {self._path}",
                found=str(error),
                advice="Set MIMICAM_HOME to a folder that can be written: what puppets do is logged there.",
            ) from error


@contextmanager
def running() -> Iterator[Journal]:
    """A journal that says when the run that it is for ended, and why if it was not meant to. OutputError as for Journal."""
    journal = Journal()
    try:
        yield journal
    except BaseException as error:
        with suppress(OutputError):  # what went wrong first is what is to be told
            journal.add("ended", failure=str(error) or type(error).__name__)
        raise
    journal.add("ended")


def _line(entry: dict[str, Any], previous: str) -> bytes:
    return json.dumps(entry | {"previous": previous}, sort_keys=True).encode() + b"\n"


def _last_hash(file: Any) -> str:
    """Of the last line; a line that was cut off is ended first, so that it stays a line of its own."""
    size = file.seek(0, 2)
    if not size:
        return FIRST
    file.seek(max(0, size - 2 * LARGEST_LINE_BYTES))
    tail = file.read()
    if not tail.endswith(b"\n"):
        file.write(b"\n")
        tail += b"\n"
    return _hash(tail.rstrip(b"\n").rpartition(b"\n")[2])


def _hash(line: bytes) -> str:
    return sha256(line).hexdigest()


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """Entries in order; a line that can't be read gives `{"event": "damaged"}`."""
    with path.open("rb") as file:
        for line in file:
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                entry = None
            yield entry if isinstance(entry, dict) else {"event": "damaged"}


def first_break(path: Path) -> Break | None:
    """None where every line follows from the one before it."""
    previous = FIRST
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                return Break(number, "it can't be read")
            if not isinstance(entry, dict) or entry.get("previous") != previous:
                return Break(number, "it does not follow from the line before it")
            previous = _hash(line.rstrip(b"\n"))
    return None

"""The slot between two stages: one item, the newest wins."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Capacity one; an item that nobody took is overwritten and counted. Safe for many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self._overwritten = 0

    def put(self, item: T) -> bool:
        """Leave the newest item. False when the mailbox is closed: there is nobody to read it."""
        with self._changed:
            if self._closed:
                return False
            if self._item is not None:
                self._overwritten += 1
            self._item = item
            self._changed.notify()
            return True

    def take(self, timeout_s: float | None = None) -> T | None:
        """The newest item, once; waits for one. None after the timeout, or when the mailbox is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed, timeout_s)
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """No more items; one that is left can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Nothing can be put any more."""
        with self._changed:
            return self._closed

    @property
    def done(self) -> bool:
        """Closed, and nothing left in it."""
        with self._changed:
            return self._closed and self._item is None

    @property
    def overwritten(self) -> int:
        """How many items nobody took."""
        with self._changed:
            return self._overwritten

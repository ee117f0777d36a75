"""Keeps a few connections open between pages: connecting costs ten times what a question costs.

Both drivers bring pools, and both retry a failed connection behind the caller's back, which turns "wrong password" into
"timed out" and makes the console look like a brute-forcer. This one never retries: it only remembers what is idle.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Connection = TypeVar("Connection")

MOST_PER_KEY = 4
MOST_IN_ALL = 64
IDLE_FOR_S = 20.0


class IdleConnections(Generic[Connection]):
    """A shelf of idle connections by key. Taking one removes it; what is too old or too many is closed."""

    def __init__(self, close: Callable[[Connection], None]) -> None:
        self._close = close
        self._shelf: dict[Hashable, list[tuple[float, Connection]]] = {}
        self._lock = threading.Lock()

    def take(self, key: Hashable) -> Connection | None:
        """The most recently used idle connection of this key, or None."""
        with self._lock:
            entries = self._shelf.get(key, [])
            entry = entries.pop() if entries else None
        if entry is None:
            return None
        since, connection = entry
        if time.monotonic() - since <= IDLE_FOR_S:
            return connection
        self._close(connection)
        return None

    def put(self, key: Hashable, connection: Connection) -> None:
        """Give a healthy connection back. Expired ones of all keys are closed on the way."""
        now = time.monotonic()
        with self._lock:
            out = [c for entries in self._shelf.values() for since, c in entries if now - since > IDLE_FOR_S]
            self._shelf = {
                k: kept
                for k, entries in self._shelf.items()
                if (kept := [e for e in entries if now - e[0] <= IDLE_FOR_S])
            }
            mine = self._shelf.setdefault(key, [])
            if len(mine) < MOST_PER_KEY and sum(map(len, self._shelf.values())) < MOST_IN_ALL:
                mine.append((now, connection))
            else:
                out.append(connection)
        for old in out:
            self._close(old)

    def clear(self) -> None:
        """Close everything, for example after credentials were changed."""
        with self._lock:
            out = [c for entries in self._shelf.values() for _, c in entries]
            self._shelf = {}
        for connection in out:
            self._close(connection)

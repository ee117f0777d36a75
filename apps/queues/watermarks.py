"""How long the same job has been next, for frameworks whose messages carry no time.

A look remembers a digest of the job that is next to be taken. As long as a later look finds the same digest, that job has
waited at least since it was first seen, and nothing has left the queue. Kept in this process only: after a restart, or in
another process, the bound begins anew and is smaller, never wrong.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable

MOST_QUEUES = 5000


class Watermarks:
    def __init__(self) -> None:
        self._seen: OrderedDict[Hashable, tuple[bytes, float]] = OrderedDict()
        self._lock = threading.Lock()

    def unmoved_s(self, queue: Hashable, mark: bytes) -> float:
        """Seconds since this mark was first seen on this queue without another one between. 0.0 for a new mark or none."""
        now = time.monotonic()
        with self._lock:
            known, since = self._seen.get(queue, (b"", now))
            since = since if mark and known == mark else now
            self._seen[queue] = (mark, since)
            self._seen.move_to_end(queue)
            while len(self._seen) > MOST_QUEUES:
                self._seen.popitem(last=False)
        return now - since

    def forget(self) -> None:
        with self._lock:
            self._seen.clear()


WATERMARKS = Watermarks()

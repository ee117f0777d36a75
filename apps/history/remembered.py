"""Labels that come and go, held on to: who was seen lately and is not there now is 0, not unknown.

Kept in this process only, the latest seen of each server. So a figure's labels stay the same from sample to sample.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping

from apps.engine.contracts.probe import Value, bare
from apps.engine.target import Target

MOST_SERVERS = 2000


class Remembered:
    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, str], OrderedDict[str, None]] = OrderedDict()
        self._lock = threading.Lock()

    def counted(
        self, target: Target, figure: str, seen: Mapping[str, Value], *, most: int, complete: bool = True
    ) -> dict[str, Value]:
        """The counts of one figure by label, at most `most`: the larger ones of now, and those seen before, which are 0 now.

        `complete` says that nothing was left out of `seen`; else of those that are not in it nothing is known.
        """
        counts = {name: value for name, value in seen.items() if bare(name) == figure}
        known = self._update((target.id, str(target.address), figure), counts, most)
        return {name: counts.get(name, 0) for name in known if complete or name in counts}

    def _update(self, key: tuple[str, str, str], counts: Mapping[str, Value], most: int) -> list[str]:
        with self._lock:
            known = self._known.setdefault(key, OrderedDict())
            self._known.move_to_end(key)
            for name in sorted(counts, key=lambda name: float(counts[name] or 0)):
                known[name] = None
                known.move_to_end(name)
            while len(known) > most:
                known.popitem(last=False)
            while len(self._known) > MOST_SERVERS:
                self._known.popitem(last=False)
            return list(known)

    def forget(self) -> None:
        with self._lock:
            self._known.clear()


REMEMBERED = Remembered()

"""What kinds of names a Redis holds, learnt a little at each look, so that no look ever walks a whole keyspace.

RQ keeps its queues under one known name, but the binding tables of kombu may carry any prefix, and a stream may have any
name: both are found by SCAN with a pattern or a type. A look goes on where the last one ended; what was found is remembered
for as long as this process lives and is checked again by the adapters at each reading.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from apps.engine.connections.redis import Command, RedisNode
from apps.engine.contracts.adapter import Marks
from apps.engine.target import Target
from apps.queues import reads

COUNT = 500
FIRST_ROUNDS = 60  # 30,000 names
LATER_ROUNDS = 10
FIRST_S = 0.5
REST_S = 30.0  # between the end of one walk and the beginning of the next
MOST_NAMES = 500
MOST_DATABASES = 256
TABLES = b"*_kombu.binding*"
RESULTS = b"rq:results:"


@dataclass(slots=True, kw_only=True)
class _Walk:
    """How far one database was walked. A walk asks for kombu's sets and for streams in step, each with its own cursor."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    tables: set[bytes] = field(default_factory=set)
    streams: set[bytes] = field(default_factory=set)
    fresh_tables: set[bytes] = field(default_factory=set)
    fresh_streams: set[bytes] = field(default_factory=set)
    cursors: list[bytes | None] = field(default_factory=lambda: [b"0", b"0"])
    rounds: int = 0
    complete: bool = False
    rests_until_s: float = 0.0

    def look(self, node: RedisNode, rounds: int) -> None:
        ends_at = time.monotonic() + FIRST_S
        while rounds > 0 and time.monotonic() < ends_at and self._step(node):
            rounds -= 1

    def _step(self, node: RedisNode) -> bool:
        going = [index for index, cursor in enumerate(self.cursors) if cursor is not None]
        answers = reads.replies(node, [_scan(index, self.cursors[index] or b"0") for index in going])
        for index, (cursor, names) in zip(going, answers, strict=True):
            if index == 1:
                names = _with_groups(node, names)
            known, fresh = ((self.tables, self.fresh_tables), (self.streams, self.fresh_streams))[index]
            fresh.update(names[: MOST_NAMES - len(fresh)])
            known.update(names[: max(0, MOST_NAMES - len(known))])
            self.cursors[index] = None if cursor == b"0" else cursor
        self.rounds += 1
        if any(self.cursors):
            return True
        self._finish()
        return False

    def _finish(self) -> None:
        """A whole walk is over: what it did not meet is gone."""
        self.tables, self.streams = self.fresh_tables, self.fresh_streams
        self.fresh_tables, self.fresh_streams = set(), set()
        self.cursors, self.rounds, self.complete = [b"0", b"0"], 0, True
        self.rests_until_s = time.monotonic() + REST_S


def _with_groups(node: RedisNode, streams: list[bytes]) -> list[bytes]:
    """Those that a group reads: results of RQ jobs and other logs are streams too, and there may be very many of them."""
    streams = [name for name in streams if not name.startswith(RESULTS)]
    replies = node.pipeline([("XINFO", "GROUPS", name) for name in streams])
    return [name for name, reply in zip(streams, replies, strict=True) if reply]


def _scan(index: int, cursor: bytes) -> Command:
    if index == 0:
        return ("SCAN", cursor, "MATCH", TABLES, "COUNT", COUNT, "TYPE", "set")
    return ("SCAN", cursor, "COUNT", COUNT, "TYPE", "stream")


class Census:
    """The walks of this process, the least recently used forgotten first."""

    def __init__(self) -> None:
        self._walks: OrderedDict[tuple[object, ...], _Walk] = OrderedDict()
        self._lock = threading.Lock()

    def marks(self, node: RedisNode, target: Target, *, keys_count: int) -> Marks:
        """Shape: names found so far in the database of `target`, and how many names were looked at.

        Cost: at most 60 round trips of two SCAN COUNT 500 at first and 10 later, with one XINFO GROUPS a stream; half a second
        at most, and none for 30 s after a whole walk. Errors: NotPermitted without +scan. Source: SCAN MATCH, SCAN TYPE, XINFO GROUPS.
        """
        walk = self._walk((target.id, target.addresses, target.username, target.database))
        with walk.lock:
            if time.monotonic() >= walk.rests_until_s:
                walk.look(node, LATER_ROUNDS if walk.complete or walk.rounds else FIRST_ROUNDS)
            looked = keys_count if walk.complete else min(walk.rounds * COUNT, keys_count)
            return Marks(
                kombu_tables=frozenset(walk.tables),
                streams=frozenset(walk.streams),
                looked_count=looked,
                complete=walk.complete,
            )

    def forget(self) -> None:
        """For servers that were changed behind the console's back, and for tests."""
        with self._lock:
            self._walks.clear()

    def _walk(self, key: tuple[object, ...]) -> _Walk:
        with self._lock:
            walk = self._walks.setdefault(key, _Walk())
            self._walks.move_to_end(key)
            while len(self._walks) > MOST_DATABASES:
                self._walks.popitem(last=False)
            return walk


CENSUS = Census()

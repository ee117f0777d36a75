"""One stretch of a look through the keyspace: SCAN in small steps, within a budget of time, names and bytes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from apps.engine.connections.redis import RedisNode, Reply, redis_node
from apps.engine.errors import EngineError
from apps.engine.target import Target
from apps.keyspace.glob import Glob
from apps.keyspace.positions import START, Position

MOST_COUNT = 500
# The server looks every key up to learn its type: 500 at once were seen to take 2 to 4 ms under load.
MOST_TYPED_COUNT = 200
FIRST_COUNT = 100
MOST_LOOKED = 10_000
MOST_CALLS = 1_000
MOST_NAMES_BYTES = 8 * 1024 * 1024
LARGE_REPLY_BYTES = 256 * 1024
BUDGET_S = 0.150
TYPES = ("string", "hash", "list", "set", "zset", "stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    number: int
    keys_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one stretch found, and what is known in all since the beginning.

    `names` are the distinct names found in this stretch, in no order. The counts are those of `after`, so they include earlier stretches;
    a key that was moved by the server while it rehashed may be in two of them. `total_count` is None where the account may
    not ask. `direct` tells that no scan was needed because the pattern is a whole name.
    """

    names: tuple[bytes, ...]
    after: Position
    finished: bool
    direct: bool
    total_count: int | None
    databases: tuple[Database, ...]
    steps_count: int
    commands_count: int


def look(target: Target, *, glob: Glob, key_type: str = "", position: Position, budget_s: float = BUDGET_S) -> Look:
    """The next stretch of one node's keys in the target's database, from where `position` stands.

    Shape: a Look; its names are at most the 10,000 looked at, or fewer when the time or 8 MiB of names ran out.
    Units: counts of keys.
    Cost: O(keys looked at): about 0.4 ms of the server for each 500 names, 500 a call at most (200, and asked for
    twice, with a type). The pattern is matched here, so that the number looked at is exact. One DBSIZE and one INFO.
    Errors: NotPermitted without +scan; every EngineError of a connection.
    Source: SCAN, DBSIZE, INFO keyspace; TYPE for a whole name.
    """
    with redis_node(target) as node:
        total_count, databases = _totals(node, int(target.database or 0))
        known = _Known(total_count=total_count, databases=databases)
        if glob.literal is not None:
            return _direct(node, glob.literal, key_type, known)
        return _scanned(node, glob, key_type, position, known, time.monotonic() + budget_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    total_count: int | None
    databases: tuple[Database, ...]


def _totals(node: RedisNode, number: int) -> tuple[int | None, tuple[Database, ...]]:
    """The keys of this database, and of every database that has some; what may not be asked is None or left out."""
    size, info = node.pipeline([("DBSIZE",), ("INFO", "keyspace")])
    databases = () if isinstance(info, EngineError) else tuple(_databases(info))
    listed = {database.number: database.keys_count for database in databases}
    if isinstance(size, EngineError):
        size = None if isinstance(info, EngineError) else listed.get(number, 0)
    return size, databases


def _databases(info: bytes) -> Iterator[Database]:
    """From lines like db0:keys=12,expires=3,avg_ttl=0."""
    for line in info.splitlines():
        head, _, facts = line.partition(b":")
        if head.startswith(b"db") and head[2:].isdigit():
            figures = dict(fact.split(b"=", 1) for fact in facts.split(b",") if b"=" in fact)
            yield Database(number=int(head[2:]), keys_count=int(figures.get(b"keys", b"0")))


def _direct(node: RedisNode, name: bytes, key_type: str, known: _Known) -> Look:
    held = node.command("TYPE", name)
    there = held != b"none" and (not key_type or held == key_type.encode())
    return Look(
        names=(name,) if there else (),
        after=Position(looked_count=1, found_count=int(there)),
        finished=True,
        direct=True,
        total_count=known.total_count,
        databases=known.databases,
        steps_count=0,
        commands_count=node.sent,
    )


def _scanned(node: RedisNode, glob: Glob, key_type: str, position: Position, known: _Known, until: float) -> Look:
    where, everything = str(node.address), glob.everything
    found: set[bytes] = set()
    looked_count = names_bytes = steps_count = 0
    cursor, step = position.cursor(where), _Step(count=FIRST_COUNT)
    while steps_count < MOST_CALLS:
        step = _next_step(node, cursor, replace(step, count=min(step.count, MOST_LOOKED - looked_count)), key_type)
        cursor = step.cursor
        steps_count += 1
        looked_count += step.looked_count
        names_bytes += step.reply_bytes
        found.update(step.names if everything else filter(glob.matches, step.names))
        spent = looked_count >= MOST_LOOKED or names_bytes >= MOST_NAMES_BYTES or time.monotonic() >= until
        if cursor == START or spent:
            break
    after = Position(
        cursors={**position.cursors, where: cursor},
        looked_count=position.looked_count + looked_count,
        found_count=position.found_count + len(found),
    )
    return Look(
        names=tuple(found),
        after=after,
        finished=cursor == START,
        direct=False,
        total_count=known.total_count,
        databases=known.databases,
        steps_count=steps_count,
        commands_count=node.sent,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One SCAN, and how many names the next one should ask for."""

    count: int
    cursor: str = START
    names: Sequence[bytes] = ()
    looked_count: int = 0
    reply_bytes: int = 0


def _next_step(node: RedisNode, cursor: str, before: _Step, key_type: str) -> _Step:
    """With a type the same stretch is asked for twice in one round trip: once to count, once filtered by the server."""
    most_count = MOST_TYPED_COUNT if key_type else MOST_COUNT
    asked: list[tuple[str | int, ...]] = [("SCAN", cursor, "COUNT", before.count)]
    if key_type:
        asked.append(("SCAN", cursor, "COUNT", before.count, "TYPE", key_type))
    replies: list[Reply] = node.pipeline(asked, raising=True)
    after, names = replies[-1]
    seen = replies[0][1]
    reply_bytes = sum(map(len, seen))
    return _Step(
        count=max(10, before.count // 4) if reply_bytes > LARGE_REPLY_BYTES else min(most_count, before.count * 2),
        cursor=after.decode("ascii"),
        names=names,
        looked_count=len(seen),
        reply_bytes=reply_bytes,
    )

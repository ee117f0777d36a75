"""Questions to one Redis that every adapter needs, each of them bounded: databases, names, clients, slices of lists."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from apps.engine.connections.redis import Command, RedisNode, Reply
from apps.engine.contracts.adapter import Count
from apps.engine.errors import EngineError, Gone, NotPermitted
from apps.engine.target import Address, Target
from apps.queues.asking import Asking, unrefused

MOST_DATABASES = 16
MOST_QUEUES = 500
MOST_CLIENTS_BYTES = 4 * 1024 * 1024
# What one page may bring over, and the size from which an element is not fetched just to learn its age.
PAGE_BYTES = 2 * 1024 * 1024
GLANCE_BYTES = 64 * 1024
CLOCK_S = 30.0  # for so long two clocks are taken to run alike
MOST_CLOCKS = 1024
_clocks: dict[Address, tuple[float, float]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One connection of the server's CLIENT LIST. `command` is the last one it sent."""

    database: str
    command: str
    subscriptions_count: int


def in_database(target: Target, database: str) -> Target:
    """The same server with another database selected."""
    return replace(target, database=database)


def databases(node: RedisNode) -> list[tuple[str, int]]:
    """Shape: (database, keys) for each database that holds keys, at most 16, fullest first. Cost: one INFO keyspace.

    Errors: NotPermitted without +info. Source: INFO keyspace.
    """
    found = []
    for line in node.command("INFO", "keyspace").decode("ascii", "replace").splitlines():
        name, _, figures = line.partition(":")
        if name.startswith("db") and figures.startswith("keys="):
            found.append((name[2:], int(figures[5:].split(",")[0])))
    return sorted(found, key=lambda each: -each[1])[:MOST_DATABASES]


def now_at(node: RedisNode) -> float:
    """The server's own clock, in seconds since 1970, for ages must not depend on ours; ours where the server does not tell.

    Cost: one INFO server, and none for 30 s after it: this process counts on meanwhile. TIME is not asked: it is in no group
    of rules for reading. Source: INFO server, server_time_usec.
    """
    now_s = time.perf_counter()
    ahead_s, until_s = _clocks.get(node.address, (0.0, 0.0))
    if now_s < until_s:
        return now_s + ahead_s
    at = _told_at(node)
    if len(_clocks) >= MOST_CLOCKS:
        _clocks.clear()
    _clocks[node.address] = (at - now_s, now_s + CLOCK_S)
    return at


def _told_at(node: RedisNode) -> float:
    try:
        text: bytes = node.command("INFO", "server")
    except NotPermitted:
        return time.time()
    told = next((line for line in text.splitlines() if line.startswith(b"server_time_usec:")), None)
    return int(told.partition(b":")[2]) / 1e6 if told else time.time()


def clients() -> Asking[list[Client]]:
    """Shape: every normal or subscribed client. Cost: one CLIENT LIST, about 300 bytes a client; the first 4 MB are read.

    Errors: NotPermitted without +client|list. Source: CLIENT LIST.
    """
    (listed,) = unrefused((yield [("CLIENT", "LIST")]))
    text: bytes = listed[:MOST_CLIENTS_BYTES]
    return [_client(line) for line in text.splitlines() if b"cmd=" in line]


def _client(line: bytes) -> Client:
    """Of some thirty words only these are cut out: a list may be of ten thousand lines, and no value holds a space."""
    return Client(
        database=(_word(line, b" db=") or b"0").decode("ascii", "replace"),
        command=_word(line, b" cmd=").decode("ascii", "replace"),
        subscriptions_count=_int(_word(line, b" sub=")) + _int(_word(line, b" psub=")),
    )


def _word(line: bytes, head: bytes) -> bytes:
    begin = line.find(head)
    return line[begin + len(head) :].partition(b" ")[0] if begin >= 0 else b""


def _int(raw: bytes) -> int:
    return int(raw) if raw.isdigit() else 0


def replies(node: RedisNode, commands: Sequence[Command]) -> list[Reply]:
    """Many commands in one round trip. Errors: the EngineError of the first that was refused."""
    return list(node.pipeline(commands, raising=True))


def some_members(
    keys: Sequence[bytes], *, most: int = MOST_QUEUES, others_are_empty: bool = False
) -> Asking[list[set[bytes]]]:
    """Shape: the members of each set, at most about `most` a set. Cost: one SSCAN a set and 500 members, pipelined.

    Errors: EngineError of the first set that may not be read; with `others_are_empty` a key of another type has no members.
    Source: SSCAN.
    """
    found: list[set[bytes]] = [set() for _ in keys]
    cursors = dict.fromkeys(range(len(keys)), b"0")
    while cursors:
        answers = yield [("SSCAN", keys[i], c, "COUNT", 500) for i, c in cursors.items()]
        if others_are_empty:
            answers = [(b"0", ()) if isinstance(answer, Gone) else answer for answer in answers]
        for index, (cursor, members) in zip(list(cursors), unrefused(answers), strict=True):
            found[index].update(members)
            cursors[index] = cursor
            if cursor == b"0" or len(found[index]) >= most:
                del cursors[index]
    return found


def element_bytes(keys: Sequence[bytes], lengths: Sequence[int]) -> Asking[list[float | None]]:
    """Shape: the average size of an element of each list or stream, None where it is empty or may not be asked.

    Units: bytes in memory, the overhead of the key included. Cost: one MEMORY USAGE a key, five samples each. Source: MEMORY USAGE.
    """
    sizes = yield [("MEMORY", "USAGE", key) for key in keys]
    return [
        size / length if length and isinstance(size, int) else None for size, length in zip(sizes, lengths, strict=True)
    ]


def fitting(average_bytes: float | None, *, most: int, budget_bytes: int = PAGE_BYTES) -> int:
    """How many elements of this average size a page may fetch: at least one, at most `most`; ten where the size is unknown."""
    if average_bytes is None:
        return min(most, 10)
    return max(1, min(most, int(budget_bytes / max(average_bytes, 1.0))))


def answer(reply: Reply) -> Count:
    """A reply of a pipeline as a count: a refused command costs its own figure only."""
    if isinstance(reply, NotPermitted):
        return Count.unknown(f"{reply.message} It needs {reply.missing}.")
    if isinstance(reply, EngineError):
        return Count.unknown(reply.message)
    return Count.exact(int(reply))


def hash_fields(
    node: RedisNode, keys: Sequence[bytes], fields: Sequence[bytes], *, most_bytes: int = 16 * 1024
) -> list[dict[bytes, bytes | None]]:
    """Shape: some fields of many hashes; a field above `most_bytes` is left out of its dict, a missing one is None.

    Cost: two round trips: the sizes (HSTRLEN), then one HMGET a hash of what is small enough. Source: HSTRLEN, HMGET.
    """
    sizes = iter(replies(node, [("HSTRLEN", key, field) for key in keys for field in fields]))
    wanted = [[field for field in fields if next(sizes) <= most_bytes] for _ in keys]
    commands: list[Command] = [("HMGET", key, *some) for key, some in zip(keys, wanted, strict=True) if some]
    answers = iter(replies(node, commands))
    return [dict(zip(some, next(answers), strict=True)) if some else {} for some in wanted]


def moment(seconds: float | bytes | None) -> datetime | None:
    """Seconds since 1970 as a time; None for nothing, and for what is not within ten years of now."""
    try:
        value = float(seconds)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    if not abs(value - datetime.now(UTC).timestamp()) < 10 * 365 * 86400:
        return None
    return datetime.fromtimestamp(value, UTC)


def parsed_time(raw: bytes | None) -> datetime | None:
    """An ISO time of a hash field as RQ and others write it; None for anything else."""
    try:
        at = datetime.fromisoformat((raw or b"").decode("ascii").replace("Z", "+00:00"))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def position(start: str, *, most: int = 2**53) -> int:
    """Where a page begins, from its URL: anything that is no position is the beginning."""
    return min(int(start), most) if start.isascii() and start.isdigit() and len(start) < 17 else 0


def in_order(names: Iterable[bytes]) -> list[bytes]:
    return sorted(names)[:MOST_QUEUES]

"""Keys kept before they are touched, and put back: DUMP and the moment at which a key would have expired."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from apps.engine.connections.redis import Command, RedisNode, Reply
from apps.engine.contracts.archive import Record
from apps.engine.errors import CommandFailed, EngineError
from apps.engine.replication import primary as primary  # asked before every change of keys

KEY = "key"
# DUMP of a string of 100 MB held a server for half a second: larger keys are listed apart.
LARGE_BYTES = 4 * 1024 * 1024
# As many names are watched by one connection and changed by one transaction: a part of a page.
PART = 50
NO_EXPIRY = -1
GONE = -2


class Measured(NamedTuple):
    """What is known of a key before it is kept. `memory_bytes` None and `ttl_ms` -2 for one that is gone."""

    name: bytes
    memory_bytes: int | None
    ttl_ms: int
    part: int = 0

    @property
    def is_gone(self) -> bool:
        return self.memory_bytes is None or self.ttl_ms == GONE

    @property
    def is_large(self) -> bool:
        return self.memory_bytes is not None and self.memory_bytes > LARGE_BYTES


def questions(names: Sequence[bytes]) -> list[Command]:
    """MEMORY USAGE, which looks at five elements, and PTTL of each: microseconds, whatever the size of a key."""
    return [
        *(("MEMORY", "USAGE", name) for name in names),
        *(("PTTL", name) for name in names),
    ]


def measured(names: Sequence[bytes], replies: Sequence[Reply | EngineError]) -> list[Measured]:
    """Errors: the EngineError of the first question that was refused."""
    told = unrefused(replies)
    parts = (index // PART for index in range(len(names)))
    return list(map(Measured._make, zip(names, told[: len(names)], told[len(names) :], parts, strict=True)))


def unrefused(replies: Sequence[Reply | EngineError]) -> Sequence[Reply]:
    """Errors: the EngineError of the first that was refused."""
    for reply in replies:
        if isinstance(reply, EngineError):
            raise reply
    return replies


def server_ms(node: RedisNode) -> int:
    """The server's clock in ms since 1970; ours where it does not tell. Times to live are counted from it."""
    reply = node.pipeline([("TIME",)])[0]
    if isinstance(reply, EngineError):
        return int(time.time() * 1000)
    return int(reply[0]) * 1000 + int(reply[1]) // 1000


def record(key: Measured, content: bytes, *, place: str, now_ms: int) -> Record:
    expires_at_ms = None if key.ttl_ms == NO_EXPIRY else now_ms + key.ttl_ms
    return Record(name=key.name, content=content, place=place, expires_at_ms=expires_at_ms, kind=KEY, part=key.part)


def restoring(kept: Record, *, replace: bool = False) -> Command:
    """RESTORE with the moment it would have expired at, never over what exists unless told to."""
    words: list[bytes | str | int] = ["RESTORE", kept.name, kept.expires_at_ms or 0, kept.content, "ABSTTL"]
    return [*words, "REPLACE"] if replace else words


def was_there(reply: Reply | EngineError) -> bool:
    """RESTORE refused because the key exists."""
    return isinstance(reply, CommandFailed) and "BUSYKEY" in reply.message

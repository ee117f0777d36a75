"""What a list says beside a name: type, time to live, memory. Asked only for the rows that are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.engine.connections.redis import Reply, redis_node
from apps.engine.errors import EngineError, NotPermitted
from apps.engine.target import Target

MOST_ROWS = 200
KEYS_A_TRIP = 50
SAMPLES = 5
_COLUMNS = ("type", "ttl", "memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One key of a list. `refused` names the columns the account may not read; `gone` is a key that ended meanwhile.

    `ttl_ms` is None for a key that does not expire. `memory_bytes` is sampled with 5 elements a key.
    """

    name: bytes
    key_type: str
    ttl_ms: int | None
    memory_bytes: int | None
    gone: bool
    refused: frozenset[str]

    @property
    def ttl_s(self) -> float | None:
        return None if self.ttl_ms is None else self.ttl_ms / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """`missing` maps a column to the rule that would allow it, for the columns that were refused at least once."""

    by_name: Mapping[bytes, KeyRow]
    missing: Mapping[str, str]
    commands_count: int


def rows(target: Target, *, names: Sequence[bytes]) -> Rows:
    """Type, time to live and memory of at most 200 keys.

    Shape: Rows, one KeyRow a name. Units: ms, bytes.
    Cost: three commands a key, 50 keys a round trip; MEMORY USAGE with SAMPLES 5 takes microseconds whatever the key's size.
    Errors: EngineErrors of the connection; a missing right costs its column only.
    Source: TYPE, PTTL, MEMORY USAGE.
    """
    found: dict[bytes, KeyRow] = {}
    missing: dict[str, str] = {}
    with redis_node(target) as node:
        for begin in range(0, min(len(names), MOST_ROWS), KEYS_A_TRIP):
            few = names[begin : min(begin + KEYS_A_TRIP, MOST_ROWS)]
            replies = node.pipeline([command for name in few for command in _questions(name)])
            for index, name in enumerate(few):
                found[name] = _row(name, replies[index * 3 : index * 3 + 3], missing)
        return Rows(by_name=found, missing=missing, commands_count=node.sent)


def _questions(name: bytes) -> list[tuple[bytes | str | int, ...]]:
    return [("TYPE", name), ("PTTL", name), ("MEMORY", "USAGE", name, "SAMPLES", SAMPLES)]


def _row(name: bytes, replies: Sequence[Reply], missing: dict[str, str]) -> KeyRow:
    refused = {c for c, reply in zip(_COLUMNS, replies, strict=True) if isinstance(reply, EngineError)}
    for column, reply in zip(_COLUMNS, replies, strict=True):
        if isinstance(reply, NotPermitted):
            missing.setdefault(column, reply.missing)
    held, ttl, memory = (None if isinstance(reply, EngineError) else reply for reply in replies)
    return KeyRow(
        name=name,
        key_type=held.decode("utf-8", "replace") if held else "",
        ttl_ms=ttl if ttl is not None and ttl >= 0 else None,
        memory_bytes=memory,
        gone=held == b"none" or ttl == -2,
        refused=frozenset(refused),
    )

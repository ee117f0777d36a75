"""What the server says about one key without touching its value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apps.engine.connections.redis import RedisNode, Reply
from apps.engine.errors import EngineError, Gone, NotPermitted

SAMPLES = 5
_LENGTHS = {
    "string": "STRLEN",
    "hash": "HLEN",
    "list": "LLEN",
    "set": "SCARD",
    "zset": "ZCARD",
    "stream": "XLEN",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """One key. None means not told: `missing` then holds the rule for each refused figure.

    `expires` is False for a key without a time to live, and then `expires_at` is None. `idle_s` and `frequency_count` depend
    on the server's eviction policy: it keeps one of the two. `length_count` is bytes for a string, elements else, None for
    a module's type.
    """

    name: bytes
    key_type: str
    expires: bool | None
    expires_at: datetime | None
    memory_bytes: int | None
    length_count: int | None
    encoding: str
    idle_s: int | None
    frequency_count: int | None
    missing: tuple[str, ...]

    @property
    def is_module(self) -> bool:
        return self.key_type not in _LENGTHS


def facts(node: RedisNode, name: bytes) -> KeyFacts:
    """Facts about one key.

    Shape: KeyFacts. Units: bytes, s, UTC moments.
    Cost: eight commands in two round trips, microseconds of the server each; none counts as a use of the key.
    Errors: Gone when there is no such key; NotPermitted without +type or without a right to this key.
    Source: TYPE, PTTL, PEXPIRETIME (7.0), MEMORY USAGE SAMPLES 5, OBJECT ENCODING, IDLETIME and FREQ, STRLEN and its kin.
    """
    held, *replies = node.pipeline(
        [
            ("TYPE", name),
            ("PTTL", name),
            ("PEXPIRETIME", name),
            ("MEMORY", "USAGE", name, "SAMPLES", SAMPLES),
            ("OBJECT", "ENCODING", name),
            ("OBJECT", "IDLETIME", name),
            ("OBJECT", "FREQ", name),
        ]
    )
    if isinstance(held, EngineError):
        raise held
    if held == b"none":
        raise Gone("There is no such key any more.", way_out="It was removed or it expired.")
    key_type = held.decode("utf-8", "replace")
    length = _length(node, key_type, name)
    told = [_told(reply) for reply in [*replies, length]]
    ttl_ms, expires_ms, memory_bytes, encoding, idle_s, frequency_count, length_count = told
    return KeyFacts(
        name=name,
        key_type=key_type,
        expires=None if ttl_ms is None else ttl_ms >= 0,
        expires_at=_moment(ttl_ms, expires_ms),
        memory_bytes=memory_bytes,
        length_count=length_count,
        encoding=encoding.decode("ascii", "replace") if encoding else "",
        idle_s=idle_s,
        frequency_count=frequency_count,
        missing=_missing([*replies, length]),
    )


def _length(node: RedisNode, key_type: str, name: bytes) -> Reply | EngineError:
    command = _LENGTHS.get(key_type)
    return node.pipeline([(command, name)])[0] if command else None


def _told(reply: Reply | EngineError) -> Reply:
    return None if isinstance(reply, EngineError) else reply


def _missing(replies: list[Reply | EngineError]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reply.missing for reply in replies if isinstance(reply, NotPermitted) and reply.missing))


def _moment(ttl_ms: int | None, expires_ms: int | None) -> datetime | None:
    """The server's own moment where it tells one (7.0 and later), else from the time left and this machine's clock."""
    if ttl_ms is None or ttl_ms < 0:
        return None
    try:
        if expires_ms is not None and expires_ms > 0:
            return datetime.fromtimestamp(expires_ms / 1000, UTC)
        return datetime.now(UTC) + timedelta(milliseconds=ttl_ms)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=UTC)

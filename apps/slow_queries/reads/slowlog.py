"""Redis' slow log: the last commands that took longer than the server's threshold, and the settings behind it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apps.engine.connections.redis import Reply, redis_node
from apps.engine.errors import EngineError
from apps.engine.target import Address, Target
from apps.slow_queries.reads.shapes import Shape, sent_arguments, shape_of, size_of

MOST_ENTRIES = 128
SLOWEST_WISE_THRESHOLD_US = 10_000
FEWEST_WISE_ENTRIES = 128
SHAPES_MOST = 1024
_shapes: dict[bytes, Shape] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One slow command. `words` are its raw words as the log kept them: show them only to who may see data."""

    number: int
    at: datetime
    took_s: float
    shape: Shape
    words: tuple[bytes, ...]
    arguments_count: int
    arguments_bytes: int
    client: bytes
    client_name: bytes

    @property
    def is_cut(self) -> bool:
        """Whether the log kept only the first of many arguments, so that their size is a lower bound."""
        return len(self.words) - 1 < self.arguments_count

    @property
    def is_own(self) -> bool:
        return self.client_name == b"signalbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings behind the log. `threshold_us` below 0 means that the log is off; 0 logs every command."""

    threshold_us: int
    most_entries: int

    @property
    def threshold_s(self) -> float:
        return self.threshold_us / 1e6

    @property
    def finding(self) -> str:
        """What is unwise about them, in a sentence; empty when nothing is."""
        if self.threshold_us < 0:
            return "The slow log is off: slowlog-log-slower-than is negative. 10000 (10 ms) is a good beginning."
        if self.most_entries == 0:
            return "The slow log keeps nothing: slowlog-max-len is 0. Keep 128 or more."
        if self.threshold_us > SLOWEST_WISE_THRESHOLD_US:
            return "Commands between 10 ms and the threshold are not logged. 10000 (10 ms) shows them."
        if self.most_entries < FEWEST_WISE_ENTRIES:
            return f"Only {self.most_entries} entries are kept, so that older ones are lost. Keep 128 or more."
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowLog:
    """`entries` newest first, `kept_count` how many the server keeps, `settings` or the reason why they are not known."""

    entries: tuple[Entry, ...]
    kept_count: int
    settings: Settings | None
    settings_error: EngineError | None
    read_at: datetime
    commands_sent: int

    @property
    def span_s(self) -> float:
        """From the oldest entry that was read until now; the clocks of server and console may differ, so never negative."""
        return max((self.read_at - self.entries[-1].at).total_seconds(), 0.0) if self.entries else 0.0

    @property
    def total_s(self) -> float:
        return sum(entry.took_s for entry in self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The entries of one shape. `share_ratio` is its part of the time of all entries that were read."""

    shape: Shape
    entries: tuple[Entry, ...]
    total_s: float
    share_ratio: float

    @property
    def calls_count(self) -> int:
        return len(self.entries)

    @property
    def mean_s(self) -> float:
        return self.total_s / len(self.entries)

    @property
    def slowest_s(self) -> float:
        return max(entry.took_s for entry in self.entries)

    @property
    def clients(self) -> tuple[bytes, ...]:
        """Names (or addresses without the port, where a client has no name) of who sent them, each once, at most 20."""
        return tuple(dict.fromkeys(e.client_name or e.client.rpartition(b":")[0] for e in self.entries))[:20]


def slow_log(target: Target, *, address: Address | None = None) -> SlowLog:
    """The slow log of one node.

    Shape: at most 128 entries, newest first. Units: seconds, bytes. Cost: one round trip of three commands; the server keeps
    at most 32 words of 128 bytes of each command. Errors: those of redis_node; NotPermitted without +slowlog|get; a refused
    CONFIG GET becomes `settings_error`. Source: SLOWLOG GET, SLOWLOG LEN, CONFIG GET slowlog-*.
    """
    with redis_node(target, address=address) as node:
        entries, length, config = node.pipeline(
            [("SLOWLOG", "GET", MOST_ENTRIES), ("SLOWLOG", "LEN"), ("CONFIG", "GET", "slowlog-*")]
        )
        sent = node.sent
    if isinstance(entries, EngineError):
        raise entries
    settings, error = _settings(config)
    return SlowLog(
        entries=entries_of(entries),
        kept_count=len(entries) if isinstance(length, EngineError) else int(length),
        settings=settings,
        settings_error=error,
        read_at=datetime.now(UTC),
        commands_sent=sent,
    )


def entries_of(reply: Reply) -> tuple[Entry, ...]:
    """The entries of an answer of SLOWLOG GET. Pure."""
    return tuple(_entry(raw) for raw in reply)


def grouped(entries: Iterable[Entry]) -> tuple[Group, ...]:
    """Entries by shape, the shape that took most time first. Pure."""
    by_shape: dict[Shape, list[Entry]] = {}
    for entry in entries:
        by_shape.setdefault(entry.shape, []).append(entry)
    total_s = sum(e.took_s for some in by_shape.values() for e in some) or 1.0
    groups = (_group(shape, some, total_s) for shape, some in by_shape.items())
    return tuple(sorted(groups, key=lambda group: -group.total_s))


def _group(shape: Shape, entries: Sequence[Entry], total_s: float) -> Group:
    own_s = sum(entry.took_s for entry in entries)
    return Group(shape=shape, entries=tuple(entries), total_s=own_s, share_ratio=own_s / total_s)


def _entry(raw: Reply) -> Entry:
    """[number, unix time, microseconds, words, client address, client name]; forks leave the last two out."""
    number, at, took_us, words = raw[:4]
    kept, count = sent_arguments(tuple(bytes(word) for word in words))
    client, name = (raw[4], raw[5]) if len(raw) >= 6 else (b"", b"")
    return Entry(
        number=int(number),
        at=datetime.fromtimestamp(0, UTC) + timedelta(seconds=int(at)),
        took_s=int(took_us) / 1e6,
        shape=_shape(kept, count),
        words=tuple(kept),
        arguments_count=count,
        arguments_bytes=sum(size_of(word) for word in kept[1:]),
        client=bytes(client),
        client_name=bytes(name),
    )


def _shape(words: Sequence[bytes], arguments_count: int) -> Shape:
    """The shape of a command, found once: the log is read again and again, and most of its entries come again.

    Kept by a digest, so that nothing of what was folded is held.
    """
    key = hashlib.blake2b(repr((words, arguments_count)).encode(), digest_size=32).digest()
    known = _shapes.get(key)
    if known is None:
        if len(_shapes) >= SHAPES_MOST:
            _shapes.clear()
        known = _shapes[key] = shape_of(words, arguments_count)
    return known


def _settings(reply: Reply) -> tuple[Settings | None, EngineError | None]:
    if isinstance(reply, EngineError):
        return None, reply
    flat: list[bytes] = list(reply)
    values = dict(zip(flat[::2], flat[1::2], strict=True))
    if b"slowlog-log-slower-than" not in values or b"slowlog-max-len" not in values:
        return None, EngineError("The server does not tell these settings.")
    return Settings(
        threshold_us=int(values[b"slowlog-log-slower-than"]), most_entries=int(values[b"slowlog-max-len"])
    ), None

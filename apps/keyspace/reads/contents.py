"""A page of a key's contents, whatever its type: strings by 64 KiB, everything else by up to 100 elements."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from apps.engine.connections.redis import RedisNode, Reply
from apps.engine.errors import EngineError, Gone
from apps.keyspace.reads.facts import KeyFacts

CHUNK_BYTES = 64 * 1024
PAGE_COUNT = 100
PAGE_BYTES = 4 * 1024 * 1024
MOST_ITEMS = 500
MOST_FIELD_BYTES = 1024 * 1024
_NUMBER = re.compile(r"[0-9]{1,20}")
_ENTRY = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which page is wanted. `at` is "" for the first: an offset, a cursor or an entry's id, as the page before told.

    `newest_first` is the order of sorted sets and streams: None is what people expect, the lowest
    score first and the newest entry first. `field` asks for one field of a hash only.
    """

    at: str = ""
    newest_first: bool | None = None
    field: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One element. `label` is what it is found by (a field, an index, an entry's id), `value` its first 64 KiB.

    `size_bytes` is the size of the whole value; `score` is a sorted set's, as the server writes it; `field` the name
    within an entry of a stream.
    """

    label: bytes
    value: bytes
    size_bytes: int
    field: bytes | None = None
    score: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """`next_at` is where the next page begins, None at the end. `dropped_count` came along and is not shown."""

    items: tuple[Item, ...]
    next_at: str | None
    command: str
    offset_count: int = 0
    groups_count: int | None = None
    dropped_count: int = 0


def contents(node: RedisNode, facts: KeyFacts, page: Page) -> Contents | None:
    """One page of the value of a key; None for a module's type, which is not read.

    Shape: Contents with at most 100 items (500 where the server packs a small collection whole), values cut to 64 KiB.
    Units: bytes. Cost: one or two commands, O(page); about 4 MiB, judged by the key's memory and length.
    Errors: Gone when the key ended or changed its type, or when `at` was cut or changed; NotPermitted.
    Source: GETRANGE, HSCAN, HSTRLEN and HGET, LRANGE, SSCAN, ZRANGE and ZREVRANGE, XRANGE and XREVRANGE, XINFO GROUPS.
    """
    reader = _READERS.get(facts.key_type)
    return reader(node, facts, page) if reader else None


def page_count(facts: KeyFacts) -> int:
    """How many elements make about 4 MiB, from 1 to 100: large ones come one at a time."""
    if not facts.memory_bytes or not facts.length_count:
        return PAGE_COUNT
    average_bytes = facts.memory_bytes / facts.length_count
    return max(1, min(PAGE_COUNT, int(PAGE_BYTES / max(average_bytes, 1))))


def _number(at: str) -> int:
    if not at:
        return 0
    if not _NUMBER.fullmatch(at) or int(at) >= 2**64:
        raise Gone("This page of the key was cut or changed.", way_out="Begin at its first page.")
    return int(at)


def _item(label: bytes, value: bytes, *, field: bytes | None = None, score: bytes | None = None) -> Item:
    return Item(label=label, value=value[:CHUNK_BYTES], size_bytes=len(value), field=field, score=score)


def _string(node: RedisNode, facts: KeyFacts, page: Page) -> Contents:
    at = min(_number(page.at), 2**62)
    value = node.command("GETRANGE", facts.name, at, at + CHUNK_BYTES - 1)
    end = at + len(value)
    more = bool(value) and end < (facts.length_count or 0)
    return Contents(items=(_item(b"", value),), next_at=str(end) if more else None, command="GETRANGE", offset_count=at)


def _hash(node: RedisNode, facts: KeyFacts, page: Page) -> Contents:
    if page.field is not None:
        return _one_field(node, facts.name, page.field)
    cursor, flat = node.command("HSCAN", facts.name, _number(page.at), "COUNT", page_count(facts))
    pairs = [_item(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]
    return _scanned(pairs, cursor, "HSCAN")


def _one_field(node: RedisNode, name: bytes, field: bytes) -> Contents:
    """One field by name, after its size was asked for: a giant one is not fetched."""
    size_bytes = node.command("HSTRLEN", name, field)
    if size_bytes > MOST_FIELD_BYTES:
        item = Item(label=field, value=b"", size_bytes=size_bytes)
        return Contents(items=(item,), next_at=None, command="HSTRLEN")
    value = node.command("HGET", name, field)
    return Contents(items=() if value is None else (_item(field, value),), next_at=None, command="HGET")


def _list(node: RedisNode, facts: KeyFacts, page: Page) -> Contents:
    at, count = min(_number(page.at), 2**62), page_count(facts)
    values = node.command("LRANGE", facts.name, at, at + count - 1)
    items = [_item(str(at + i).encode(), value) for i, value in enumerate(values)]
    return _sliced(items, at, facts, "LRANGE")


def _set(node: RedisNode, facts: KeyFacts, page: Page) -> Contents:
    cursor, members = node.command("SSCAN", facts.name, _number(page.at), "COUNT", page_count(facts))
    return _scanned([_item(b"", member) for member in members], cursor, "SSCAN")


def _zset(node: RedisNode, facts: KeyFacts, page: Page) -> Contents:
    at, count = min(_number(page.at), 2**62), page_count(facts)
    command = "ZREVRANGE" if page.newest_first is True else "ZRANGE"
    flat = node.command(command, facts.name, at, at + count - 1, "WITHSCORES")
    items = [_item(str(at + i // 2).encode(), flat[i], score=flat[i + 1]) for i in range(0, len(flat), 2)]
    return _sliced(items, at, facts, command)


def _stream(node: RedisNode, facts: KeyFacts, page: Page) -> Contents:
    if page.at and not _ENTRY.fullmatch(page.at):
        raise Gone("This page of the stream was cut or changed.", way_out="Begin at its first page.")
    newest_first = page.newest_first is not False
    begin, command = f"({page.at}" if page.at else "", "XREVRANGE" if newest_first else "XRANGE"
    span = (begin or "+", "-") if newest_first else (begin or "-", "+")
    count = page_count(facts)
    entries, groups = node.pipeline(
        [(command, facts.name, *span, "COUNT", count), ("XINFO", "GROUPS", facts.name)],
    )
    if isinstance(entries, EngineError):
        raise entries
    items = [item for entry in entries for item in _entry_items(entry)]
    last: bytes | None = entries[-1][0] if len(entries) == count else None
    return Contents(
        items=tuple(items[:MOST_ITEMS]),
        next_at=last.decode("ascii") if last else None,
        command=command,
        groups_count=None if isinstance(groups, EngineError) else len(groups),
        dropped_count=max(0, len(items) - MOST_ITEMS),
    )


def _entry_items(entry: Sequence[Reply]) -> list[Item]:
    label, flat = entry[0], entry[1] or []
    return [_item(label, flat[i + 1], field=flat[i]) for i in range(0, len(flat), 2)]


def _scanned(items: list[Item], cursor: bytes, command: str) -> Contents:
    return Contents(
        items=tuple(items[:MOST_ITEMS]),
        next_at=None if cursor == b"0" else cursor.decode("ascii"),
        command=command,
        dropped_count=max(0, len(items) - MOST_ITEMS),
    )


def _sliced(items: list[Item], at: int, facts: KeyFacts, command: str) -> Contents:
    end = at + len(items)
    more = bool(items) and end < (facts.length_count or 0)
    return Contents(items=tuple(items), next_at=str(end) if more else None, command=command, offset_count=at)


_Reader = Callable[[RedisNode, KeyFacts, Page], Contents]
_READERS: Mapping[str, _Reader] = {
    "string": _string,
    "hash": _hash,
    "list": _list,
    "set": _set,
    "zset": _zset,
    "stream": _stream,
}

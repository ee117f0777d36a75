"""Entries of a stream in bounded pages: counted for a plan, kept before they go, and put into a stream beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from apps.engine.connections.redis import Command, RedisNode
from apps.engine.contracts.archive import Record
from apps.queues import reads
from apps.queues.stream_groups import after

Entry = tuple[bytes, tuple[bytes, ...]]
MOST_PAGE = 500
# What one run keeps and removes: the rest is another plan.
MOST_ENTRIES = 500_000
MOST_BYTES = 256 * 1024 * 1024
KIND = "entry"


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """An entry and the run that removed it; fields and values in turn, as they stood."""

    run: int
    fields: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a run would remove. `through` is the newest id of it, b"" for none; `is_cut` when more than one run's worth may go."""

    entries_count: int = 0
    size_bytes: int = 0
    first: bytes = b""
    through: bytes = b""
    is_cut: bool = False


def page_size(node: RedisNode, stream: bytes, *, most: int = MOST_PAGE) -> int:
    """How many entries to ask for at once: about 2 MB, at least one. Cost: MEMORY USAGE with five samples, XLEN."""
    size, length = reads.replies(node, [("MEMORY", "USAGE", stream), ("XLEN", stream)])
    return reads.fitting(size / length if size and length else None, most=most)


def asking(stream: bytes, *, begin: bytes, end: bytes, count: int) -> Command:
    return ("XRANGE", stream, begin, end, "COUNT", count)


def entries_of(reply: Sequence[tuple[bytes, Sequence[bytes] | None]]) -> list[Entry]:
    """The reply of XRANGE. An entry deleted in the middle of the question has no fields on some versions, and is left out."""
    return [(entry_id, tuple(flat)) for entry_id, flat in reply if flat is not None]


def walk(node: RedisNode, stream: bytes, *, end: bytes) -> Iterator[list[Entry]]:
    """Every entry up to and with `end`, page by page. Cost: XRANGE of about 2 MB each."""
    count, begin = page_size(node, stream), b"-"
    while page := entries_of(node.command(*asking(stream, begin=begin, end=end, count=count))):
        yield page
        begin = after(page[-1][0])


def size_of(entry: Entry) -> int:
    """What an entry takes as text: its id, names and values."""
    return len(entry[0]) + sum(map(len, entry[1]))


def record(entry: Entry, *, run: int, database: int) -> Record:
    content = msgspec.msgpack.encode(Kept(run=run, fields=entry[1]))
    return Record(name=entry[0], content=content, place=f"db {database}", kind=KIND)


def kept(record: Record) -> Kept:
    return msgspec.msgpack.decode(record.content, type=Kept)


def beside(stream: bytes, *, run: int) -> bytes:
    """The stream that takes the entries which a run removed."""
    return stream + b":trimmed:%d" % run

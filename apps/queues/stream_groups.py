"""Where the groups of streams stand: what they have not read, and what they never will."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.engine.contracts.adapter import Count
from apps.queues import reads
from apps.queues.asking import Asking, unrefused

CHUNK = 1000
MOST_COUNTED = 10_000
COUNTED_BYTES = 4 * 1024 * 1024
_ID = re.compile(r"\d{1,20}-\d{1,20}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One group of one stream. `lag` and `entries_read` are None where the server does not tell (Redis 6, or it cannot know).

    `first` is the oldest entry still there; None for an empty stream, and where the entries are too large to fetch one.
    """

    stream: bytes
    name: bytes
    last_delivered: bytes
    lag: int | None
    entries_read: int | None
    entries_added: int | None
    length: int
    first: bytes | None
    entry_bytes: float | None

    @property
    def behind_first(self) -> bool:
        """Everything that is in the stream is yet to be delivered."""
        return self.first is not None and order(self.last_delivered) < order(self.first)

    @property
    def lost_count(self) -> int:
        """Entries that were added after the last one read, and are gone: known only where the group is behind the first entry."""
        if self.entries_added is None or self.entries_read is None or not (self.behind_first or not self.length):
            return 0
        return max(0, self.entries_added - self.entries_read - self.length)


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def order(entry_id: bytes) -> tuple[int, int]:
    """An id as something that sorts."""
    milliseconds, _, sequence = entry_id.partition(b"-")
    return int(milliseconds), int(sequence or 0)


def after(entry_id: bytes) -> bytes:
    """The next possible id: exclusive ranges came only with Redis 6.2."""
    milliseconds, sequence = order(entry_id)
    return b"%d-0" % (milliseconds + 1) if sequence == 2**64 - 1 else b"%d-%d" % (milliseconds, sequence + 1)


def before(entry_id: bytes) -> bytes:
    milliseconds, sequence = order(entry_id)
    if sequence:
        return b"%d-%d" % (milliseconds, sequence - 1)
    return b"%d-%d" % (max(milliseconds - 1, 0), 2**64 - 1)


def id_time(entry_id: bytes | None) -> datetime | None:
    """The time in an id, unless it is no time: ids may be chosen by the sender."""
    return reads.moment(order(entry_id)[0] / 1000) if entry_id else None


def read(groups: Sequence[tuple[bytes, bytes]]) -> Asking[list[Group | None]]:
    """Shape: one a (stream, group), None for what is gone. Units: entries, bytes in memory for an average entry.

    Cost: two round trips; three commands a stream, and XINFO STREAM, which carries two entries, where they are small.
    Source: XLEN, MEMORY USAGE, XINFO GROUPS, XINFO STREAM.
    """
    streams = list(dict.fromkeys(stream for stream, _ in groups))
    flat = yield [question for stream in streams for question in _questions(stream)]
    answers = {stream: flat[i * 3 : i * 3 + 3] for i, stream in enumerate(streams)}
    averages = {stream: _average(length, size) for stream, (length, size, _) in answers.items()}
    small = [stream for stream, average in averages.items() if average is None or average <= reads.GLANCE_BYTES]
    infos = dict(zip(small, (yield [("XINFO", "STREAM", stream) for stream in small]), strict=True))
    return [_group(stream, name, answers[stream], averages[stream], infos.get(stream)) for stream, name in groups]


def _questions(stream: bytes) -> list[tuple[str | bytes, ...]]:
    return [("XLEN", stream), ("MEMORY", "USAGE", stream), ("XINFO", "GROUPS", stream)]


def _average(length: Any, size: Any) -> float | None:
    return size / length if isinstance(length, int) and isinstance(size, int) and length else None


def _group(stream: bytes, name: bytes, answers: Sequence[Any], average: float | None, info: Any) -> Group | None:
    length, _, listed = answers
    if not isinstance(length, int) or not isinstance(listed, list):
        return None
    group = next((pairs for pairs in map(_pairs, listed) if pairs[b"name"] == name), None)
    if group is None:
        return None
    about = _pairs(info) if isinstance(info, list) else {}
    first = about.get(b"first-entry")
    return Group(
        stream=stream,
        name=name,
        last_delivered=group[b"last-delivered-id"],
        lag=group.get(b"lag"),
        entries_read=group.get(b"entries-read"),
        entries_added=about.get(b"entries-added"),
        length=length,
        first=first[0] if first else None,
        entry_bytes=average,
    )


def _pairs(flat: Sequence[Any]) -> dict[bytes, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=False))


def lag(group: Group) -> Asking[tuple[Count, bytes | None]]:
    """(entries not delivered, the first of them). Cost: none where everything or nothing is undelivered, one XRANGE where the

    server tells the lag, else up to ten of 1,000 entries and 4 MB. Source: XINFO GROUPS lag, XLEN, XRANGE from the last delivered.
    """
    if not group.length:
        return Count.exact(0), None
    if group.behind_first:
        return Count.exact(group.length), group.first
    if group.lag is not None:
        small = group.lag and (group.entry_bytes or 0) <= reads.GLANCE_BYTES
        entries = (yield from _entries(group, after(group.last_delivered), 1)) if small else []
        return Count.exact(group.lag), entries[0][0] if entries else None
    return (yield from _counted(group))


def _entries(group: Group, begin: bytes, count: int) -> Asking[list[Any]]:
    (entries,) = unrefused((yield [("XRANGE", group.stream, begin, "+", "COUNT", count)]))
    return list(entries)


def _counted(group: Group) -> Asking[tuple[Count, bytes | None]]:
    fitting = reads.fitting(group.entry_bytes, most=MOST_COUNTED, budget_bytes=COUNTED_BYTES)
    begin, first, total = after(group.last_delivered), None, 0
    while total < fitting:
        entries = yield from _entries(group, begin, min(CHUNK, fitting - total))
        first = first or (entries[0][0] if entries else None)
        total += len(entries)
        if len(entries) < CHUNK and total < fitting:
            return Count.exact(total), first
        begin = after(entries[-1][0])
    if not (yield from _entries(group, begin, 1)):
        return Count.exact(total), first
    return Count.at_least(
        total, f"The server does not tell the lag of this group; {total:,} entries were counted."
    ), first

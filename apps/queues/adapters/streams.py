"""Redis streams: one backlog a consumer group. What a group has not read is its lag, which the server tells only at times.

The field `lag` came with Redis 7.0, is NULL for a group that was made at `$` and never read to the end, and counts entries
that were trimmed away. So it is taken only where it must be right; else the entries are counted, at most 10,000 of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from apps.engine.connections.redis import RedisNode
from apps.engine.contracts import adapter as contract
from apps.engine.contracts.adapter import Age, Count, Found, Job, Known, Marks, Page, Payload, Queue, Row, Snapshot
from apps.engine.errors import EngineError, Gone, NotPermitted
from apps.queues import payloads, reads, stream_groups
from apps.queues.asking import Asking, asked, beside, unrefused
from apps.queues.stepping import SteppingAdapter
from apps.queues.stream_groups import Group, after, id_time

READING_S = 60.0  # a consumer of a group that lags and was not heard for so long does not read
LONG_PENDING_MS = 3_600_000
MOST_LISTED = 500
NO_FAILED = "A stream keeps no failed entries: what was delivered and not acknowledged stays pending."
NO_SCHEDULED = "A stream has no entries for later."


class StreamsAdapter(SteppingAdapter):
    key = "stream"
    kind = "redis"
    title = "Stream group"
    oldest_end = "left"

    def finding(self, *, database: str, marks: Marks) -> Asking[tuple[Found, ...]]:
        """Cost: none beyond the look over names. Source: SCAN TYPE stream, XINFO GROUPS."""
        yield from ()
        streams = tuple(reads.in_order(marks.streams))
        found = Found(
            adapter=self.key, framework="stream", database=database, evidence="keys of type stream", keys=streams
        )
        return (found,) if streams else ()

    def naming(self, found: Found) -> Asking[tuple[Queue, ...]]:
        """Shape: one queue a group, at most 500; streams without a group are logs, not queues. Cost: one XINFO GROUPS a stream."""
        replies = yield [("XINFO", "GROUPS", stream) for stream in found.keys]
        refused = [reply for reply in replies if isinstance(reply, NotPermitted)]
        if refused and len(refused) == len(replies):
            raise refused[0]
        groups = [
            (stream, _pairs(group)[b"name"])
            for stream, reply in zip(found.keys, replies, strict=True)
            if isinstance(reply, list)
            for group in reply
        ]
        return tuple(
            Queue(adapter=self.key, framework=found.framework, database=found.database, name=stream, part=group)
            for stream, group in groups[: reads.MOST_QUEUES]
        )

    def counting(self, queues: Sequence[Queue], *, now: float) -> Asking[list[Snapshot]]:
        """Shape: one a group. Units: entries, ages in seconds.

        Cost: three round trips for all; a group whose lag is not told, up to ten XRANGE of 1,000 entries, 4 MB at most.
        Source: XLEN, MEMORY USAGE, XINFO STREAM, XINFO GROUPS, XINFO CONSUMERS, XPENDING, XRANGE.
        """
        named = [(queue.name, queue.part) for queue in queues]
        groups, figures = yield from beside(stream_groups.read(named), _figures(queues))
        there = [
            (queue, group, some)
            for queue, group, some in zip(queues, groups, figures, strict=True)
            if group is not None
        ]
        lags, dangling = yield from beside(
            beside(*(stream_groups.lag(group) for _, group, _ in there)),
            beside(*(_dangling(group, some[0]) for _, group, some in there)),
        )
        return [
            _snapshot(queue, group, some, lag, gone, now=now)
            for (queue, group, some), lag, gone in zip(there, lags, dangling, strict=True)
        ]

    def page(self, node: RedisNode, queue: Queue, *, state: str, start: str) -> Page:
        """Cost: three round trips, 50 entries, 2 MB at most unless one entry is larger. Source: XRANGE, XPENDING - + COUNT."""
        group = asked(node, stream_groups.read([(queue.name, queue.part)]))[0]
        if group is None:
            raise Gone("The stream or its group is gone.")
        begin = start.encode("ascii", "replace") if stream_groups.is_id(start) else b""
        if state == "ready":
            return _undelivered_page(node, queue, group, begin or after(group.last_delivered))
        if state == "running":
            return _pending_page(node, queue, group, begin or b"-")
        raise Gone("A stream has no such state.")

    def job(self, node: RedisNode, queue: Queue, *, state: str, id: bytes, start: str) -> Job:  # noqa: A002
        """Cost: one XRANGE of one entry, one XPENDING of one. Errors: Gone, also for an entry trimmed away while pending."""
        if not stream_groups.is_id(id.decode("ascii", "replace")):
            raise Gone("This is no id of a stream entry.")
        entries, pending = node.pipeline(
            [("XRANGE", queue.name, id, id, "COUNT", 1), ("XPENDING", queue.name, queue.part, id, id, 1)]
        )
        if isinstance(entries, EngineError):
            raise entries
        if not entries:
            raise Gone("The entry is not in the stream any more: it was trimmed or deleted.")
        return _job(id, entries[0][1] or [], pending[0] if isinstance(pending, list) and pending else None)


ADAPTER = StreamsAdapter()


def _pairs(flat: Sequence[Any]) -> dict[bytes, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=False))


def _figures(queues: Sequence[Queue]) -> Asking[list[Sequence[Any]]]:
    """What is pending, pending for long, and the consumers: three answers a queue."""
    replies = yield [question for queue in queues for question in _questions(queue)]
    return [replies[begin : begin + 3] for begin in range(0, len(replies), 3)]


def _questions(queue: Queue) -> list[tuple[bytes | str | int, ...]]:
    return [
        ("XPENDING", queue.name, queue.part),
        ("XPENDING", queue.name, queue.part, "IDLE", LONG_PENDING_MS, "-", "+", MOST_LISTED),
        ("XINFO", "CONSUMERS", queue.name, queue.part),
    ]


def _snapshot(
    queue: Queue,
    group: Group,
    figures: Sequence[Any],
    lag_and_first: tuple[Count, bytes | None],
    dangling: str,
    *,
    now: float,
) -> Snapshot:
    lag, first = lag_and_first
    pending, long, consumers = figures
    held = reads.answer(pending if isinstance(pending, EngineError) else pending[0])
    return Snapshot(
        queue=queue,
        ready=lag,
        running=held,
        scheduled=Count.none(NO_SCHEDULED),
        failed=Count.none(NO_FAILED),
        abandoned=_long_pending(long),
        oldest=_age(lag, first, now),
        workers=_workers(consumers, now, lags=lag.some),
        states=(
            contract.State(key="ready", title="Not delivered", count=lag),
            contract.State(key="running", title="Pending", count=held, words=_pending_words(pending, now)),
        ),
        mark=group.last_delivered,
        added_count=group.entries_added,
        taken_count=group.entries_read,
        notes=tuple(filter(None, (_lost_words(group), dangling))),
    )


def _age(lag: Count, first: bytes | None, now: float) -> Age:
    if lag.known is Known.EXACT and not lag.value:
        return Age.none()
    at = id_time(first)
    if at is None:
        return Age.unknown("The ids of this stream are no times, or its entries are too large to look at one.")
    return Age.exact(now - at.timestamp(), "The id of the entry is the time at which it was added.")


def _long_pending(reply: Any) -> Count:
    if isinstance(reply, EngineError):
        return reads.answer(reply)
    if len(reply) == MOST_LISTED:
        return Count.at_least(MOST_LISTED, f"{MOST_LISTED} are looked at.")
    return Count.exact(len(reply))


def _pending_words(pending: Any, now: float) -> str:
    oldest = id_time(pending[1]) if isinstance(pending, list) and pending[1] else None
    return f"the oldest was added {oldest:%Y-%m-%d %H:%M:%S} UTC" if oldest else ""


def _lost_words(group: Group) -> str:
    lost = group.lost_count
    return f"{lost:,} entries were trimmed or deleted before this group read them." if lost else ""


def _dangling(group: Group, pending: Any) -> Asking[str]:
    """In words, how many pending entries were trimmed away. Asked only where the oldest pending one is."""
    smallest = pending[1] if isinstance(pending, list) else None
    if not smallest or not group.first or stream_groups.order(smallest) >= stream_groups.order(group.first):
        return ""
    end = stream_groups.before(group.first)
    (gone,) = unrefused((yield [("XPENDING", group.stream, group.name, "-", end, MOST_LISTED)]))
    count = f"{len(gone)} or more" if len(gone) == MOST_LISTED else str(len(gone))
    return f"{count} pending entries dangle: they were trimmed away before they were acknowledged."


def _workers(reply: Any, now: float, *, lags: bool) -> contract.Workers:
    """A silent consumer of a group that lags does not read. Without a lag silence means nothing: it may wait in a blocking read."""
    if isinstance(reply, EngineError):
        return contract.Workers(known=Known.UNKNOWN, why=reply.message)
    seen = []
    for consumer in map(_pairs, reply):
        idle_s = int(consumer[b"idle"]) / 1000
        alive = idle_s < READING_S or (None if not lags else False)
        words = "reads" if idle_s < READING_S else "silent" if lags else "waits, or is gone"
        seen.append(
            contract.Worker(
                name=consumer[b"name"],
                alive=alive,
                state=words,
                heard_at=datetime.fromtimestamp(now - idle_s, UTC),
                jobs_count=int(consumer[b"pending"]),
            )
        )
    return contract.Workers(known=Known.EXACT, workers=tuple(sorted(seen, key=lambda one: -(one.jobs_count or 0))))


def _undelivered_page(node: RedisNode, queue: Queue, group: Group, begin: bytes) -> Page:
    most = reads.fitting(group.entry_bytes, most=contract.PAGE)
    entries = node.command("XRANGE", queue.name, begin, "+", "COUNT", most + 1)
    rows = tuple(_entry_row(entry_id, flat) for entry_id, flat in entries[:most])
    more = entries[most][0].decode("ascii") if len(entries) > most else None
    said = "" if most == contract.PAGE or not more else "The entries are large: fewer are shown on a page."
    return Page(rows=rows, at_title="Added", next=more, said=said)


def _pending_page(node: RedisNode, queue: Queue, group: Group, begin: bytes) -> Page:
    listed = node.command("XPENDING", queue.name, queue.part, begin, "+", contract.PAGE + 1)
    page = listed[: contract.PAGE]
    entries: Mapping[bytes, Any] = {}
    if group.entry_bytes is not None and group.entry_bytes <= reads.PAGE_BYTES / contract.PAGE:
        commands = [("XRANGE", queue.name, one[0], one[0], "COUNT", 1) for one in page]
        entries = dict(zip([one[0] for one in page], reads.replies(node, commands), strict=True))
    now = reads.now_at(node)
    rows = tuple(_pending_row(one, entries.get(one[0]), now) for one in page)
    more = listed[contract.PAGE][0].decode("ascii") if len(listed) > contract.PAGE else None
    return Page(rows=rows, at_title="Delivered", next=more)


def _entry_row(entry_id: bytes, flat: Sequence[bytes]) -> Row:
    return Row(id=entry_id, call=_names(flat), arguments=_values(flat), at=id_time(entry_id))


def _pending_row(pending: Sequence[Any], found: Sequence[Any] | None, now: float) -> Row:
    entry_id, consumer, idle_ms, deliveries = pending
    flat = found[0][1] if found else []
    return Row(
        id=entry_id,
        call=_names(flat),
        arguments=_values(flat),
        at=reads.moment(now - int(idle_ms) / 1000),
        attempts=f"{int(deliveries)}",
        holder=consumer,
        note="dangling: no longer in the stream" if found is not None and not found else "",
    )


def _names(flat: Sequence[bytes]) -> bytes:
    """The names of the fields, which say what an entry is without saying what is in it."""
    return b", ".join(name[:60] for name in flat[:16:2])


def _values(flat: Sequence[bytes]) -> bytes:
    return b" ".join(name[:60] + b"=" + value[:120] for name, value in zip(flat[:16:2], flat[1:16:2], strict=False))


def _job(entry_id: bytes, flat: Sequence[bytes], pending: Sequence[Any] | None) -> Job:
    facts: tuple[tuple[str, bytes], ...] = ()
    if pending:
        facts = (
            ("Consumer", pending[1]),
            ("Deliveries", str(pending[3]).encode()),
            ("Silent for ms", str(pending[2]).encode()),
        )
    body = b"\n".join(
        name + b" = " + (payloads.indented(value) or value) for name, value in zip(flat[::2], flat[1::2], strict=False)
    )
    at = id_time(entry_id)
    return Job(
        id=entry_id,
        call=_names(flat),
        facts=facts,
        payload=Payload(
            size_bytes=sum(map(len, flat)),
            steps=(f"{len(flat) // 2} fields",),
            body=body[: payloads.SHOWN_BYTES],
            cut=len(body) > payloads.SHOWN_BYTES,
        ),
        moments=(contract.Moment(at=at, words="added"),) if at else (),
    )

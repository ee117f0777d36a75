"""Celery on Redis, read from the keys of kombu's transport. No broker connection is opened: closing one puts messages back.

A queue is a list, pushed at its left end and taken from its right, and one more list for each priority in use. What a worker
took is in the hash `unacked` until it is acknowledged: it may be running, prefetched, or held until its ETA.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from apps.engine.connections.redis import RedisNode
from apps.engine.contracts import adapter as contract
from apps.engine.contracts.adapter import Age, Count, Found, Job, Known, Marks, Page, Queue, Row, Snapshot
from apps.engine.errors import EngineError, Gone
from apps.queues import celery_messages, celery_unacked, reads
from apps.queues.asking import Asking, asked, beside, unrefused
from apps.queues.celery_messages import Message
from apps.queues.celery_unacked import SEPARATOR, Held, Unacked
from apps.queues.stepping import SteppingAdapter

PRIORITIES = (b"", *(SEPARATOR + str(step).encode() for step in range(1, 10)))
SEARCHED = 250
NO_RETRIES = "Celery keeps no list of failures in Redis; where a result backend is set, they are results for a day."
Depth: TypeAlias = dict[bytes, int] | EngineError
NO_TIME = "The messages carry no time. docs/queues.md shows four lines that stamp them."


class CeleryAdapter(SteppingAdapter):
    key = "celery"
    kind = "redis"
    title = "Celery"
    oldest_end = "right"

    def finding(self, *, database: str, marks: Marks) -> Asking[tuple[Found, ...]]:
        """Cost: one SSCAN a binding table. Source: the sets `<prefix>_kombu.binding*` that the look over names met."""
        bindings = yield from celery_unacked.bindings(sorted(marks.kombu_tables))
        prefixes = sorted({each.prefix for each in bindings})
        return tuple(
            Found(
                adapter=self.key,
                framework="Celery",
                database=database,
                evidence="kombu's binding tables",
                keys=(prefix + celery_unacked.TABLE,),
                names=tuple(reads.in_order({each.queue for each in bindings if each.prefix == prefix})),
            )
            for prefix in prefixes
        )

    def naming(self, found: Found) -> Asking[tuple[Queue, ...]]:
        """Cost: none. Source: the third part of each binding, met by `finding`."""
        yield from ()
        prefix = celery_unacked.prefix_of(found.keys[0])
        return tuple(
            Queue(adapter=self.key, framework=found.framework, database=found.database, name=name, prefix=prefix)
            for name in found.names
        )

    def counting(self, queues: Sequence[Queue], *, now: float) -> Asking[list[Snapshot]]:
        """Shape: one a queue. Units: counts, ages in seconds.

        Cost: four round trips for all queues; ten LLEN a queue, at most 500 unacked messages and 4 MB, one CLIENT LIST.
        Source: LLEN, LINDEX, MEMORY USAGE of the lists; ZRANGE `unacked_index`, HSTRLEN and HGET `unacked`; CLIENT LIST.
        """
        if not queues:
            return []
        unacked = celery_unacked.read(queues[0].prefix, now)
        (depths, tails), held, consumers = yield from beside(
            _depths_and_tails(queues), unacked, _consumers(queues[0].database)
        )
        return [
            _snapshot(queue, depth, tails, held, consumers, now) for queue, depth in zip(queues, depths, strict=True)
        ]

    def page(self, node: RedisNode, queue: Queue, *, state: str, start: str) -> Page:
        """Cost: ready: ten LLEN, a MEMORY USAGE and one LRANGE a list, about 2 MB at most unless one message is larger;
        held: as the snapshot. Source: LRANGE from the right end, `unacked`.
        """
        if state == "ready":
            return _ready_page(node, queue, reads.position(start))
        if state not in ("running", "scheduled", "overdue"):
            raise Gone("Celery has no such state.")
        unacked = _unacked(node, queue)
        mine = [held for held in unacked.of(queue.name) if held.state == state]
        begin = reads.position(start)
        rows = tuple(_held_row(held) for held in mine[begin : begin + contract.PAGE])
        more = str(begin + contract.PAGE) if len(mine) > begin + contract.PAGE else None
        return Page(rows=rows, at_title="Due" if state == "scheduled" else "Taken", next=more, said=unacked.said)

    def job(self, node: RedisNode, queue: Queue, *, state: str, id: bytes, start: str) -> Job:  # noqa: A002
        """Cost: about that of the page it was seen on and of the four before: a draining queue moves jobs forward."""
        if state != "ready":
            held = next(
                (held for held in _unacked(node, queue).of(queue.name) if held.message.id == id),
                None,
            )
            if held is None:
                raise Gone("The message was acknowledged meanwhile.")
            return celery_messages.job(
                held.message, (("Taken", f"{held.taken_at:%Y-%m-%d %H:%M:%S} UTC".encode()),) if held.taken_at else ()
            )
        position = reads.position(start)
        messages, _ = _slice(node, queue, max(0, position - SEARCHED), SEARCHED + contract.PAGE)
        message = next((message for message in messages if message.id == id), None)
        if message is None:
            raise Gone(
                "The message is not near the place any more where it was seen: a worker took it, or the queue moved on."
            )
        return celery_messages.job(message)


ADAPTER = CeleryAdapter()


def _lists(queue: Queue) -> list[bytes]:
    """The lists of a queue in the order in which workers take from them."""
    return [queue.prefix + queue.name + suffix for suffix in PRIORITIES]


def _unacked(node: RedisNode, queue: Queue) -> Unacked:
    return asked(node, celery_unacked.read(queue.prefix, reads.now_at(node)))


def _depths_and_tails(queues: Sequence[Queue]) -> Asking[tuple[list[Depth], dict[bytes, bytes]]]:
    depths = yield from _depths(queues)
    tails = yield from _tails(depths)
    return depths, tails


def _depths(queues: Sequence[Queue]) -> Asking[list[Depth]]:
    """The lengths of the lists that hold something, in the order of being taken; or why one queue could not be counted."""
    lists = [_lists(queue) for queue in queues]
    replies = iter((yield [("LLEN", key) for some in lists for key in some]))
    found: list[Depth] = []
    for some in lists:
        lengths: dict[bytes, Any] = {key: next(replies) for key in some}
        error = next((length for length in lengths.values() if isinstance(length, EngineError)), None)
        found.append(error or {key: length for key, length in lengths.items() if length})
    return found


def _tails(depths: Sequence[Depth]) -> Asking[dict[bytes, bytes]]:
    """The message that is next in each list, unless the messages are too large to be fetched for a glance."""
    lengths = {key: size for depth in depths if isinstance(depth, dict) for key, size in depth.items()}
    sizes = yield from reads.element_bytes(list(lengths), list(lengths.values()))
    small = [key for key, size in zip(lengths, sizes, strict=True) if size is None or size <= reads.GLANCE_BYTES]
    replies = unrefused((yield [("LINDEX", key, -1) for key in small]))
    return {key: raw for key, raw in zip(small, replies, strict=True) if raw is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Consumers:
    """Connections of one database that could be workers. `waiting_count` wait in BRPOP now; None where it may not be asked."""

    waiting_count: int | None
    listening_count: int = 0
    why: str = ""


def _consumers(database: str) -> Asking[_Consumers]:
    try:
        mine = [client for client in (yield from reads.clients()) if client.database == database]
    except EngineError as error:
        return _Consumers(waiting_count=None, why=error.message)
    return _Consumers(
        waiting_count=sum(client.command == "brpop" for client in mine),
        listening_count=sum(client.subscriptions_count > 0 for client in mine),
    )


def _workers(consumers: _Consumers, unacked: Unacked) -> contract.Workers:
    """None seen only where nothing of this database waits, listens or holds anything: which queue a connection serves is not told."""
    if consumers.waiting_count is None:
        return contract.Workers(known=Known.UNKNOWN, why=consumers.why)
    if not consumers.waiting_count and not consumers.listening_count and not unacked.total_count:
        return contract.Workers(
            known=Known.EXACT, why="No connection of this database waits for messages, and none is held."
        )
    words = f"{consumers.waiting_count} connections of this database wait for messages"
    return contract.Workers(
        known=Known.UNKNOWN, why=f"Celery keeps no workers in Redis. {words}; for which queues is not told."
    )


def _snapshot(
    queue: Queue,
    depth: Depth,
    tails: Mapping[bytes, bytes],
    unacked: Unacked,
    consumers: _Consumers,
    now: float,
) -> Snapshot:
    mine = [held.state for held in unacked.of(queue.name)]
    counts = {state: _held_count(mine.count(state), unacked) for state in ("running", "scheduled", "overdue")}
    notes = [unacked.said] if unacked.said else []
    if isinstance(depth, EngineError):
        ready, oldest, heads = Count.unknown(depth.message), Age.unknown(depth.message), []
    else:
        heads = [tails.get(key) for key in depth]
        ready, oldest = Count.exact(sum(depth.values())), _age(heads, now)
    if len(heads) > 1:
        notes.append(f"Its jobs are spread over {len(heads)} lists by priority.")
    return Snapshot(
        queue=queue,
        ready=ready,
        running=counts["running"],
        scheduled=counts["scheduled"],
        failed=Count.unknown(NO_RETRIES),
        abandoned=counts["overdue"],
        oldest=oldest,
        workers=_workers(consumers, unacked),
        states=(
            contract.State(key="ready", title="Ready", count=ready),
            contract.State(
                key="running", title="Held by workers", count=counts["running"], words="running or prefetched"
            ),
            contract.State(
                key="scheduled", title="Held until due", count=counts["scheduled"], words="taken, with an ETA"
            ),
            contract.State(key="overdue", title="Overdue", count=counts["overdue"], words="taken over an hour ago"),
        ),
        mark=hashlib.sha1(heads[0], usedforsecurity=False).digest() if heads and heads[0] else b"",
        notes=tuple(notes),
    )


def _held_count(count: int, unacked: Unacked) -> Count:
    return Count.at_least(count, unacked.said) if unacked.unread_count else Count.exact(count)


def _age(heads: Sequence[bytes | None], now: float) -> Age:
    """The oldest of all priorities. The right end of each list is its oldest; a stamp that is missing leaves a lower bound."""
    if not heads:
        return Age.none()
    stamps = [celery_messages.parse(raw).stamped_at if raw else None for raw in heads]
    ages = [now - at.timestamp() for at in stamps if at]
    if not ages:
        return Age.unknown(NO_TIME)
    if len(ages) < len(stamps):
        return Age.at_least(max(ages), "Not every priority's oldest message carries a time.")
    return Age.exact(max(ages), "The message carries the time at which it was sent.")


def _slice(node: RedisNode, queue: Queue, begin: int, most: int) -> tuple[list[Message], int]:
    """(messages, how many there are in all) from the place `begin` on, in the order in which workers take them."""
    keys = _lists(queue)
    lengths = [int(size) for size in reads.replies(node, [("LLEN", key) for key in keys])]
    sizes = asked(node, reads.element_bytes(keys, lengths))
    found: list[Message] = []
    skipped, room = begin, reads.PAGE_BYTES
    for key, length, average in zip(keys, lengths, sizes, strict=True):
        if length <= skipped:
            skipped -= length
            continue
        wanted = min(length - skipped, most - len(found))
        fitting = reads.fitting(average, most=wanted, budget_bytes=room)
        raws = node.command("LRANGE", key, -(skipped + fitting), -(skipped + 1))
        found += [celery_messages.parse(raw) for raw in reversed(raws)]
        room -= sum(map(len, raws))
        if fitting < wanted or len(found) >= most or room <= 0:
            break
        skipped = 0
    return found, sum(lengths)


def _ready_page(node: RedisNode, queue: Queue, begin: int) -> Page:
    messages, total = _slice(node, queue, begin, contract.PAGE)
    end = begin + len(messages)
    more = str(end) if messages and end < total else None
    rows = tuple(celery_messages.row(message, at=message.stamped_at) for message in messages)
    short = len(messages) < contract.PAGE and more
    return Page(
        rows=rows,
        at_title="Sent",
        next=more,
        said="The messages are large: fewer are shown on a page." if short else "",
    )


def _held_row(held: Held) -> Row:
    return celery_messages.row(held.message, at=held.message.eta if held.state == "scheduled" else held.taken_at)

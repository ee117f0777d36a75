"""What kombu keeps beside the queues: the tables that bind names to queues, and the messages that workers have taken."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.queues import celery_messages, payloads, reads
from apps.queues.asking import Asking, unrefused
from apps.queues.celery_messages import Message

SEPARATOR = b"\x06\x16"
TABLE = b"_kombu.binding"
OWN_EXCHANGES = (b"celery.pidbox", b"reply.celery.pidbox", b"celeryev")
LOOKED_AT = 500
LOOKED_AT_BYTES = 4 * 1024 * 1024
OPENED_BYTES = 256 * 1024
_JSON = json.JSONDecoder()
VISIBILITY_TIMEOUT_S = 3600  # kombu's default: what the workers were given is in no key


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    prefix: bytes
    exchange: bytes
    routing_key: bytes
    queue: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A message that a worker took. `state` is running, scheduled (its ETA is to come) or overdue (taken too long ago)."""

    message: Message
    queue: bytes
    taken_at: datetime | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unacked:
    """What is unacknowledged in one database and prefix: `held` of `total_count`; the rest was not opened."""

    held: tuple[Held, ...]
    total_count: int

    def of(self, queue: bytes) -> list[Held]:
        return [held for held in self.held if held.queue == queue]

    @property
    def unread_count(self) -> int:
        return self.total_count - len(self.held)

    @property
    def said(self) -> str:
        if self.unread_count <= 0:
            return ""
        return (
            f"{self.unread_count:,} of {self.total_count:,} unacknowledged messages of this database were not opened."
        )


def prefix_of(table: bytes) -> bytes:
    """kombu's global_keyprefix: what stands before `_kombu.binding`."""
    return table.rpartition(TABLE)[0]


def bindings(tables: Sequence[bytes]) -> Asking[list[Binding]]:
    """Every binding to a queue for work; the control and event exchanges of Celery itself are left out.

    Cost: one SSCAN a table, 500 members each. Source: the sets `<prefix>_kombu.binding.*` and `_kombu.binding_permanent.*`.
    """
    found = []
    for table, members in zip(tables, (yield from reads.some_members(tables)), strict=True):
        exchange = table.rpartition(TABLE)[2].removeprefix(b"_permanent").removeprefix(b".")
        parts = [member.split(SEPARATOR) for member in sorted(members)]
        found += [
            Binding(prefix=prefix_of(table), exchange=exchange, routing_key=some[0], queue=some[2])
            for some in parts
            if len(some) == 3 and some[2] and exchange not in OWN_EXCHANGES and not some[2].endswith(b".celery.pidbox")
        ]
    return found


def read(prefix: bytes, now: float) -> Asking[Unacked]:
    """Shape: the messages taken longest ago. Units: `now` in seconds since 1970, by the server's clock.

    Cost: four round trips; at most 500 messages and 4 MB, none above 256 KiB. Errors: EngineError.
    Source: HLEN, HSTRLEN, HGET `unacked`; ZRANGE `unacked_index`, whose scores are the times of delivery.
    """
    key, index = prefix + b"unacked", prefix + b"unacked_index"
    total, flat = unrefused((yield [("HLEN", key), ("ZRANGE", index, 0, LOOKED_AT - 1, "WITHSCORES")]))
    taken = dict(zip(flat[::2], flat[1::2], strict=True))
    sizes = unrefused((yield [("HSTRLEN", key, tag) for tag in taken]))
    left, wanted = LOOKED_AT_BYTES, []
    for tag, size in zip(taken, sizes, strict=True):
        if 0 < size <= min(left, OPENED_BYTES):
            left -= size
            wanted.append(tag)
    raws = unrefused((yield [("HGET", key, tag) for tag in wanted]))
    parts = [(_parts(raw), taken[tag]) for tag, raw in zip(wanted, raws, strict=True) if raw]
    opened = [(some, score) for some, score in parts if some]
    names = yield from _queue_names(prefix, {some[1] for some, _ in opened})
    return Unacked(held=tuple(_held(some, score, names, now) for some, score in opened), total_count=int(total))


_Parts = tuple[Message, bytes, bytes]


def _parts(raw: bytes) -> _Parts | None:
    """kombu stores [message, exchange, routing key] as JSON. What is not that is counted as not opened."""
    try:
        text = raw.decode("utf-8", "surrogatepass")
        whole, end = _JSON.raw_decode(text, text.index("[", 0, 1) + 1)
        _, exchange, routing_key = json.loads(f"[0{text[end:]}")
    except (ValueError, TypeError, RecursionError):
        return None
    mapping = whole if isinstance(whole, dict) else {}
    message = celery_messages.of_object(mapping, text[1:end].encode("utf-8", "surrogatepass"))
    return message, _word(exchange), _word(routing_key)


def _word(value: Any) -> bytes:
    return payloads.text(value, most=512)


def _queue_names(prefix: bytes, exchanges: set[bytes]) -> Asking[Mapping[tuple[bytes, bytes], bytes]]:
    """(exchange, routing key) to queue, for the exchanges that messages were sent through."""
    tables = [prefix + TABLE + b"." + exchange for exchange in sorted(exchanges) if exchange]
    return {(each.exchange, each.routing_key): each.queue for each in (yield from bindings(tables))}


def _held(parts: _Parts, score: bytes, names: Mapping[tuple[bytes, bytes], bytes], now: float) -> Held:
    message, exchange, routing_key = parts
    taken_at = reads.moment(score)
    state = "overdue" if taken_at and now - taken_at.timestamp() > VISIBILITY_TIMEOUT_S else "running"
    if message.eta and message.eta.timestamp() > now:
        state = "scheduled"
    return Held(message=message, queue=names.get((exchange, routing_key), routing_key), taken_at=taken_at, state=state)

"""How far a stream may be trimmed: to what every one of its groups has read and acknowledged, and not one entry further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.engine.connections.redis import RedisNode
from apps.engine.contracts.action import Refused
from apps.engine.contracts.adapter import Count
from apps.engine.contracts.plan import Sentence, say
from apps.engine.errors import Gone, Unsupported
from apps.engine.units import duration_text
from apps.queues import reads, stream_groups
from apps.queues.asking import Line, in_step
from apps.queues.stream_groups import before, order
from apps.servers.reads.redis_identity import parse_info, version_pair

SINCE = (6, 2)
MOST_GROUPS = 500
SILENT_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One group: what it was given last, and the oldest entry that it holds without having acknowledged it."""

    name: bytes
    last_delivered: bytes
    pending_count: int
    oldest_pending: bytes | None

    @property
    def through(self) -> bytes:
        """The newest id that this group needs no more."""
        if self.oldest_pending is None:
            return self.last_delivered
        return min(self.last_delivered, before(self.oldest_pending), key=order)

    @property
    def is_held_by_pending(self) -> bool:
        return self.oldest_pending is not None and self.through != self.last_delivered


def check_version(node: RedisNode) -> None:
    """XTRIM knows MINID from 6.2 on. Cost: one INFO server. Errors: Unsupported."""
    told = parse_info(node.command("INFO", "server")).get("redis_version", "")
    refuse_before(told, since=SINCE)


def refuse_before(told: str, *, since: tuple[int, int]) -> None:
    """Errors: Unsupported for a version that is older, or that nobody tells."""
    if version_pair(told) < since:
        raise Unsupported(
            f"Redis {told or 'of an unknown version'} cannot trim a stream by id: XTRIM MINID came with 6.2.",
            way_out="Update it; trimming by length alone could remove what a group has not read.",
        )


def standings(node: RedisNode, stream: bytes) -> tuple[Standing, ...]:
    """Shape: one a group, at most 500. Cost: XINFO GROUPS, and one XPENDING a group.

    Errors: Gone where there is no such stream; Refused without a group, for then nothing says what was read; Unsupported above
    500 groups. Source: XINFO GROUPS, XPENDING (its summary).
    """
    groups = [_pairs(flat) for flat in node.command("XINFO", "GROUPS", stream)]
    if not groups:
        raise Refused(
            "This stream has no group, so nothing says what was read of it.", way_out="Trim it by its sender."
        )
    if len(groups) > MOST_GROUPS:
        raise Unsupported(f"This stream has more than {MOST_GROUPS} groups.", way_out="Remove those nobody reads by.")
    held = reads.replies(node, [("XPENDING", stream, group[b"name"]) for group in groups])
    return tuple(
        Standing(
            name=group[b"name"],
            last_delivered=group[b"last-delivered-id"],
            pending_count=int(pending[0]),
            oldest_pending=pending[1],
        )
        for group, pending in zip(groups, held, strict=True)
    )


def frontier(groups: Sequence[Standing]) -> bytes:
    """The newest id that no group needs any more."""
    return min((group.through for group in groups), key=order)


def holders(groups: Sequence[Standing]) -> list[Standing]:
    """The groups that keep the frontier where it is."""
    through = frontier(groups)
    return [group for group in groups if group.through == through]


def unread(node: RedisNode, stream: bytes, groups: Sequence[Standing]) -> list[Count]:
    """What each group has still to be given. Cost: see stream_groups: counted up to 10,000 where the server does not tell."""
    reading = Line(stream_groups.read([(stream, group.name) for group in groups]))
    in_step(node, reading)
    lags = [Line(stream_groups.lag(group)) if group else None for group in reading.result]
    in_step(node, *(line for line in lags if line))
    return [line.result[0] if line else Count.unknown("The group is gone.") for line in lags]


def why_held(node: RedisNode, stream: bytes, group: Standing, *, first: bytes | None) -> Sentence:
    """In words, why a group keeps the frontier where it is. Cost: two commands. Source: XPENDING of one entry, XINFO CONSUMERS."""
    silent = _silent_words(node.command("XINFO", "CONSUMERS", stream, group.name))
    if not group.is_held_by_pending or group.oldest_pending is None:
        return say(group.name, f" was given nothing after {group.last_delivered.decode()}{silent}")
    oldest = group.oldest_pending
    if first is None or order(oldest) < order(first):
        return say(
            group.name,
            f" holds {oldest.decode()}, which is in the stream no more: acknowledge it to go further{silent}",
        )
    held = node.command("XPENDING", stream, group.name, oldest, oldest, 1)
    if not held:
        return say(group.name, f" holds {oldest.decode()}{silent}")
    _, consumer, idle_ms, _ = held[0]
    return say(
        group.name,
        f" has not acknowledged {oldest.decode()}, given to ",
        consumer,
        f" {duration_text(int(idle_ms) / 1000)} ago{silent}",
    )


def _silent_words(consumers: Sequence[Any]) -> str:
    """Of a group that nobody reads by: named, since it keeps everything for ever."""
    if not consumers:
        return "; it has no consumer"
    heard_s = min(int(_pairs(flat)[b"idle"]) for flat in consumers) / 1000
    return f"; none of its consumers was heard for {duration_text(heard_s)}" if heard_s > SILENT_S else ""


def first_entry(node: RedisNode, stream: bytes) -> bytes | None:
    """The id of the oldest entry, or None of an empty stream. Cost: one entry is carried over."""
    entries = node.command("XRANGE", stream, "-", "+", "COUNT", 1)
    return entries[0][0] if entries else None


def exists(node: RedisNode, stream: bytes) -> int:
    """Its entries. Errors: Gone where it is no stream any more."""
    kind, length = reads.replies(node, [("TYPE", stream), ("XLEN", stream)])
    if kind != b"stream":
        raise Gone("There is no such stream any more.")
    return int(length)


def _pairs(flat: Sequence[Any]) -> dict[bytes, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=False))

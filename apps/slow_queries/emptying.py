"""The slow log of one node as it is before it is emptied: what is in it, in figures that stay when it is gone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from apps.engine.connections.redis import Command, RedisNode, Reply
from apps.engine.contracts.plan import Cell, Table, exactly
from apps.engine.target import Address
from apps.slow_queries.reads.slowlog import MOST_ENTRIES, Entry, entries_of, grouped

SHAPES_SHOWN = 12
MOST_SHAPE = 120
READ: tuple[Command, ...] = (("SLOWLOG", "GET", MOST_ENTRIES), ("SLOWLOG", "LEN"), ("INFO", "server"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLog:
    """`entries` newest first, at most 128 of `kept_count`. `server_life` is a new one whenever the server starts."""

    address: Address
    entries: tuple[Entry, ...]
    kept_count: int
    server_life: str

    @property
    def newest(self) -> int:
        """The number of the newest entry, -1 for none. Numbers go on when the log is emptied, and begin again with the server."""
        return self.entries[0].number if self.entries else -1

    @property
    def is_whole(self) -> bool:
        return len(self.entries) >= self.kept_count

    @property
    def state(self) -> str:
        """What a plan writes down of it."""
        return f"{self.server_life[:16]} {self.newest} {self.kept_count}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a plan wrote down."""

    server_life: str
    newest: int
    kept_count: int

    @classmethod
    def of(cls, state: str) -> Planned:
        life, newest, kept = state.split(" ")
        return cls(server_life=life, newest=int(newest), kept_count=int(kept))

    def why_moved(self, now: NodeLog) -> str:
        """A log grows while it is planned, and that is fine; "" where it did nothing else."""
        if now.server_life[:16] != self.server_life:
            return "the server was started again, and its log with it"
        if now.kept_count < self.kept_count:
            return f"{now.kept_count:,} entries: somebody emptied or shortened it"
        return ""


def read_log(node: RedisNode) -> NodeLog:
    """Shape: at most 128 entries. Units: seconds. Cost: one round trip. Errors: those of the node. Source: SLOWLOG GET, LEN, INFO."""
    return _log(node.address, node.replies(READ))


def empty_log(node: RedisNode) -> NodeLog:
    """Read it and empty it in one round trip, so that next to nothing falls in between. Errors: those of the node."""
    return _log(node.address, node.replies([*READ, ("SLOWLOG", "RESET")]))


def _log(address: Address, replies: list[Reply]) -> NodeLog:
    entries, length, info = replies[:3]
    return NodeLog(address=address, entries=entries_of(entries), kept_count=int(length), server_life=_life(bytes(info)))


def _life(info: bytes) -> str:
    match = re.search(rb"(?m)^run_id:(\w+)", info)
    return match[1].decode() if match else "unknown"


def shapes_table(logs: Iterable[NodeLog]) -> Table | None:
    """The shapes that took most time, arguments folded: who may see the page may see these."""
    logs = tuple(logs)
    groups = grouped(entry for log in logs for entry in log.entries)
    if not groups:
        return None
    rows = tuple(
        (
            Cell(name=f"{group.shape.name} {group.shape.arguments}".strip()[:MOST_SHAPE].encode()),
            Cell(amount=exactly(group.calls_count)),
            Cell(amount=exactly(group.slowest_s, "s")),
        )
        for group in groups[:SHAPES_SHOWN]
    )
    read, kept = sum(len(log.entries) for log in logs), sum(log.kept_count for log in logs)
    said = f"{len(rows)} of {len(groups)} shapes, from {'all' if read >= kept else f'the newest {read:,} of'} {kept:,} entries"
    return Table(columns=("Shape", "Entries", "Slowest"), rows=rows, said=said)

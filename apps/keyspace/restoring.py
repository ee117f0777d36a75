"""The undo of everything that removed or changed keys: RESTORE of what was kept, never over what exists by now unless told to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from apps.engine.connections.redis import RedisNode, redis_node
from apps.engine.contracts.action import Planning, Progress, Undo
from apps.engine.contracts.archive import Originals, Record
from apps.engine.contracts.plan import Cell, Ending, Figure, Outcome, Plan, Table, exactly, say
from apps.engine.errors import EngineError
from apps.engine.target import Target
from apps.engine.text import plain
from apps.keyspace import originals as keeping
from apps.keyspace.glob import Glob, compiled
from apps.keyspace.places import at_place

PAGE = 100
SAMPLE = 5


@dataclass(slots=True)
class Counted:
    """What would become, or became, of what was kept."""

    put_back: int = 0
    exists: int = 0
    expired: int = 0
    failed: int = 0
    size_bytes: int = 0
    why: str = ""


class RestoreKeys(Undo[Any]):
    """Puts keys back that are not there."""

    def plan(self, target: Target, params: Any, *, originals: Originals, only: bytes, planning: Planning) -> Plan:
        """Cost: EXISTS of every key, 100 a round trip; the archive is read once."""
        counted = Counted()
        sample: list[bytes] = []
        for place, records in pages(originals, only):
            with redis_node(at_place(target, place)) as node:
                keeping.primary(node)
                now_ms = keeping.server_ms(node)
                there = node.replies([("EXISTS", kept.name) for kept in records])
            for kept, exists in zip(records, there, strict=True):
                _count(counted, kept, exists=bool(exists), now_ms=now_ms)
            sample += [kept.name for kept in records[: SAMPLE - len(sample)]]
            planning.check(
                counted.put_back + counted.exists + counted.expired, originals.count, "compared with the server"
            )
        return _plan(counted, sample)

    def run(
        self, target: Target, params: Any, *, originals: Originals, only: bytes, plan: Plan, progress: Progress
    ) -> Outcome:
        counted = Counted()
        for place, some in groupby(pages(originals, only), key=itemgetter(0)):
            there = at_place(target, place)
            with progress.redis(there.address) as node:
                node.command("SELECT", there.database)
                for _, records in some:
                    progress.check()
                    _put_back(node, records, counted)
                    progress.step(counted.put_back, total_count=plan.most_count)
        return _outcome(counted)


def pages(originals: Originals, only: bytes) -> Iterator[tuple[str, list[Record]]]:
    """At most 100 records of one database."""
    wanted: Glob | None = compiled(only) if only else None
    chosen = (kept for kept in originals.records(newest_first=True) if wanted is None or wanted.matches(kept.name))
    for place, some in groupby(chosen, key=lambda kept: kept.place):
        while page := list(islice(some, PAGE)):
            yield place, page


def _count(counted: Counted, kept: Record, *, exists: bool, now_ms: int) -> None:
    if kept.expires_at_ms is not None and kept.expires_at_ms <= now_ms:
        counted.expired += 1
    elif exists:
        counted.exists += 1
    else:
        counted.put_back += 1
        counted.size_bytes += len(kept.content)


def _put_back(node: RedisNode, records: list[Record], counted: Counted) -> None:
    now_ms = keeping.server_ms(node)
    alive = [kept for kept in records if kept.expires_at_ms is None or kept.expires_at_ms > now_ms]
    counted.expired += len(records) - len(alive)
    for reply in node.pipeline([keeping.restoring(kept) for kept in alive]):
        if keeping.was_there(reply):
            counted.exists += 1
        elif isinstance(reply, EngineError):
            if not counted.put_back:
                raise reply
            counted.failed += 1
            counted.why = counted.why or reply.message
        else:
            counted.put_back += 1


def _plan(counted: Counted, sample: list[bytes]) -> Plan:
    keys = "key" if counted.put_back == 1 else "keys"
    return Plan(
        effect=f"Put {counted.put_back:,} {keys} back",
        of=say("from what was kept before they were touched"),
        keep="Leave it as it is",
        figures=(
            Figure(label="Put back", amount=exactly(counted.put_back, "keys"), note=say("each with its own expiry")),
            Figure(label="Left alone", amount=exactly(counted.exists, "keys"), note=say("they exist again")),
            Figure(
                label="Expired meanwhile", amount=exactly(counted.expired, "keys"), note=say("they are not revived")
            ),
            Figure(label="Size", amount=exactly(counted.size_bytes, "B"), note=say("as kept; memory is a little more")),
        ),
        sample=Table(columns=("Key",), rows=tuple((Cell(name=name),) for name in sample), said="the first kept"),
        commands=(f"RESTORE {plain(sample[0], most=60) if sample else '<key>'} <expiry> <kept> ABSTTL",),
        most_count=counted.put_back + counted.exists,
        blocked=() if counted.put_back else say("There is nothing left to put back."),
    )


def _outcome(counted: Counted) -> Outcome:
    return Outcome(
        ending=Ending.PARTIAL if counted.failed else Ending.DONE,
        said=say(f"Put {counted.put_back:,} keys back."),
        figures=(
            Figure(label="Put back", amount=exactly(counted.put_back, "keys")),
            Figure(label="Left alone", amount=exactly(counted.exists, "keys"), note=say("they exist again")),
            Figure(label="Expired meanwhile", amount=exactly(counted.expired, "keys")),
            Figure(label="Failed", amount=exactly(counted.failed, "keys"), note=say(counted.why)),
        ),
    )

"""The undo of set times to live: the former expiry comes back, where nobody has set another one since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from apps.engine.connections.redis import Command, RedisNode, redis_node
from apps.engine.contracts.action import Planning, Progress, Undo
from apps.engine.contracts.archive import Originals, Record
from apps.engine.contracts.plan import Ending, Figure, Outcome, Plan, exactly, say
from apps.engine.target import Target
from apps.keyspace import originals as keeping
from apps.keyspace.changes import is_ours
from apps.keyspace.places import at_place
from apps.keyspace.restoring import pages


@dataclass(slots=True)
class Counted:
    """Keys whose expiry would come, or came, back; keys that expire otherwise by now or are gone."""

    put_back: int = 0
    changed: int = 0


class RestoreExpiries(Undo[Any]):
    """PEXPIREAT or PERSIST, key by key as they were."""

    def plan(self, target: Target, params: Any, *, originals: Originals, only: bytes, planning: Planning) -> Plan:
        """Cost: PTTL of every key, 100 a round trip."""
        counted = Counted()
        for place, records in pages(originals, only):
            with redis_node(at_place(target, place)) as node:
                keeping.primary(node)
                _tell(node, records, counted)
            planning.check(counted.put_back + counted.changed, originals.count, "compared with the server")
        return Plan(
            effect=f"Put {counted.put_back:,} expiries back",
            of=say("as they were before the run"),
            keep="Leave it as it is",
            figures=(
                Figure(label="Put back", amount=exactly(counted.put_back, "keys")),
                Figure(
                    label="Left alone",
                    amount=exactly(counted.changed, "keys"),
                    note=say("gone, or set otherwise since"),
                ),
            ),
            commands=("PEXPIREAT <key> <former>", "PERSIST <key>"),
            most_count=counted.put_back,
            blocked=() if counted.put_back else say("No key expires any more as the run said."),
        )

    def run(
        self, target: Target, params: Any, *, originals: Originals, only: bytes, plan: Plan, progress: Progress
    ) -> Outcome:
        counted = Counted()
        for place, some in groupby(pages(originals, only), key=itemgetter(0)):
            there = at_place(target, place)
            with progress.redis(there.address) as node:
                node.command("SELECT", there.database)
                for _, records in some:
                    ours = _tell(node, records, counted)
                    progress.check()
                    node.replies([_former(record) for record in ours])
                    progress.step(counted.put_back, total_count=plan.most_count)
        return Outcome(
            ending=Ending.DONE,
            said=say(f"Put {counted.put_back:,} expiries back."),
            figures=(
                Figure(label="Put back", amount=exactly(counted.put_back, "keys")),
                Figure(
                    label="Left alone",
                    amount=exactly(counted.changed, "keys"),
                    note=say("gone, or set otherwise since"),
                ),
                Figure(label="Failed", amount=exactly(0, "keys")),
            ),
        )


def _tell(node: RedisNode, records: Sequence[Record], counted: Counted) -> list[Record]:
    """Those that still expire as the run said."""
    now_ms = keeping.server_ms(node)
    ttls = node.replies([("PTTL", record.name) for record in records])
    ours = [record for record, ttl_ms in zip(records, ttls, strict=True) if is_ours(record, ttl_ms, now_ms)]
    counted.put_back += len(ours)
    counted.changed += len(records) - len(ours)
    return ours


def _former(record: Record) -> Command:
    if record.expires_at_ms is None:
        return ("PERSIST", record.name)
    return ("PEXPIREAT", record.name, record.expires_at_ms)

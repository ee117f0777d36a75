"""One string written anew, compared before; and the way back."""

from __future__ import annotations

import hashlib
from typing import Any

from apps.engine.connections.redis import RedisNode, redis_node
from apps.engine.contracts.action import Moved, Planning, Progress, Undo
from apps.engine.contracts.archive import Originals, Record
from apps.engine.contracts.plan import Ending, Figure, Outcome, Plan, exactly, say
from apps.engine.target import Target
from apps.engine.text import plain
from apps.keyspace import originals as keeping
from apps.keyspace.places import at_place


def digest(value: bytes) -> str:
    """What stands for a value where the value itself may not stand."""
    return hashlib.sha256(value).hexdigest()


def write(node: RedisNode, progress: Progress, *, name: bytes, value: bytes, was: str, place: str) -> bool:
    """Write `value` where the present one has the digest `was`, after it was kept. False when it has another."""
    node.command("WATCH", name)
    if not _is(node, name, was):
        node.command("UNWATCH")
        return False
    ttl_ms, dump = node.replies([("PTTL", name), ("DUMP", name)])
    kept = keeping.record(keeping.Measured(name, 0, ttl_ms), dump, place=place, now_ms=keeping.server_ms(node))
    page = progress.archive.append([kept])
    progress.check()
    done = node.replies([("MULTI",), ("SET", name, value, "KEEPTTL"), ("EXEC",)])[-1]
    progress.archive.settle(page, None if done is not None else ())
    return done is not None


def _is(node: RedisNode, name: bytes, wanted: str) -> bool:
    if node.command("TYPE", name) != b"string":
        return False
    return digest(bytes(node.command("GETRANGE", name, 0, -1))) == wanted


class RestoreEdit(Undo[Any]):
    """The former value over the one that the run wrote, and over no other."""

    def plan(self, target: Target, params: Any, *, originals: Originals, only: bytes, planning: Planning) -> Plan:
        kept = next(originals.records())
        with redis_node(at_place(target, kept.place)) as node:
            keeping.primary(node)
            ours = _is(node, kept.name, digest(params.value.encode()))
        return Plan(
            effect="Put the former value back",
            of=say(kept.name, f" in db {kept.place}"),
            keep="Leave it as it is",
            figures=(Figure(label="Size", amount=exactly(len(kept.content), "B"), note=say("as kept")),),
            commands=(f"RESTORE {plain(kept.name, most=80)} <expiry> <kept> ABSTTL REPLACE",),
            most_count=1,
            blocked=() if ours else say("The value was changed since by somebody else: it is left alone."),
        )

    def run(
        self, target: Target, params: Any, *, originals: Originals, only: bytes, plan: Plan, progress: Progress
    ) -> Outcome:
        kept: Record = next(originals.records())
        there = at_place(target, kept.place)
        with progress.redis(there.address) as node:
            node.command("SELECT", there.database)
            node.command("WATCH", kept.name)
            if not _is(node, kept.name, digest(params.value.encode())):
                raise Moved("The value was changed since by somebody else. Nothing was written.")
            progress.check()
            done = node.replies([("MULTI",), keeping.restoring(kept, replace=True), ("EXEC",)])[-1]
            if done is None:
                raise Moved("The value was changed in this moment by somebody else. Nothing was written.")
        progress.step(1, total_count=1)
        return Outcome(ending=Ending.DONE, said=say("The former value of ", kept.name, " is back."))

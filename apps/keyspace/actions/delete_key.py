"""Delete one key, after it was kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.engine.connections.redis import RedisNode, redis_node
from apps.engine.contracts.action import Action, Planning, Progress, Tier
from apps.engine.contracts.archive import Record
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Check, Ending, Fact, Figure, Outcome, Plan, exactly, say, unknown
from apps.engine.errors import Busy, Gone, OutOfMemory
from apps.engine.target import Kind, Target
from apps.engine.text import plain
from apps.keyspace import originals
from apps.keyspace.changes import unlink_as_kept
from apps.keyspace.originals import Measured
from apps.keyspace.places import writable
from apps.keyspace.restoring import RestoreKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    name: bytes = param("Key", fixed=True)
    db: int = param("Database", fixed=True, default=0, least=0, most=65_535)
    node: str = param("Node", fixed=True, default="")


class DeleteKey(Action[Params]):
    key = "keyspace.delete_key"
    title = "Delete a key"
    verb = "Delete key"
    icon = "trash"
    kind = Kind.REDIS
    tier = Tier.T3
    permission = "keys.change"
    feature = "keyspace.change"
    params = Params
    undo = RestoreKeys()
    never = "Any other key."
    inline = True

    @property
    def is_grave(self) -> bool:
        return True

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one key. Cost: TYPE, MEMORY USAGE, PTTL and one INFO. Errors: Gone, Unsupported on a replica. Source: those."""
        with redis_node(writable(target, db=params.db, node=params.node)) as node:
            originals.primary(node)
            key, key_type = _look(node, params.name)
        shown = plain(params.name, most=80)
        size = (
            exactly(key.memory_bytes, "B") if key.memory_bytes is not None else unknown("MEMORY USAGE is not allowed.")
        )
        return Plan(
            effect="Delete this key",
            of=say(params.name, f" in db {params.db}"),
            keep="Keep the key",
            figures=(
                Figure(label="Keys deleted", amount=exactly(1), note=say(f"a {key_type}"), grave=True),
                Figure(label="Memory freed", amount=size, note=say("sampled by the server")),
            ),
            facts=_facts(key),
            commands=(f"WATCH {shown}", f"DUMP {shown}", "MULTI", f"UNLINK {shown}", "EXEC"),
            undo=say("The key is kept with its time to live before it goes; undo puts it back unless it exists again."),
            most_count=1,
            observed={"type": key_type},
        )

    def checks(self, target: Target, params: Params, *, plan: Plan) -> Sequence[Check]:
        with redis_node(writable(target, db=params.db, node=params.node)) as node:
            now = node.command("TYPE", params.name).decode("ascii", "replace")
        return [Check(label="Type of the key", planned=plan.observed["type"], now=now, ok=now == plan.observed["type"])]

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        there = writable(target, db=params.db, node=params.node)
        with progress.redis(there.address) as node:
            node.command("SELECT", params.db)
            _delete(node, params, progress)
        progress.step(1, total_count=1)
        return Outcome(
            ending=Ending.DONE,
            said=say("Deleted ", params.name, f" in db {params.db}."),
            figures=(Figure(label="Keys deleted", amount=exactly(1), note=say("of 1 planned")),),
        )


ACTION = DeleteKey()


def _look(node: RedisNode, name: bytes) -> tuple[Measured, str]:
    key_type = node.command("TYPE", name).decode("ascii", "replace")
    key = originals.measured([name], node.pipeline(originals.questions([name])))[0]
    if key_type == "none" or key.is_gone:
        raise Gone("The key is gone already.")
    return key, key_type


def _facts(key: Measured) -> tuple[Fact, ...]:
    expiry = (
        "It does not expire."
        if key.ttl_ms == originals.NO_EXPIRY
        else f"It expires in {key.ttl_ms // 1000:,} s by itself."
    )
    large = "It is large: keeping it holds the server up for a moment." if key.is_large else ""
    facts = (Fact(label="Expiry", words=say(expiry)), Fact(label="Size", words=say(large), signal="warn"))
    return tuple(fact for fact in facts if fact.words[0].text)


def _delete(node: RedisNode, params: Params, progress: Progress) -> None:
    """Kept on disk first; removed only as it was kept. Errors: Busy when it keeps changing, Gone."""
    now_ms = originals.server_ms(node)
    for _ in range(3):
        node.command("WATCH", params.name)
        key, _ = _look(node, params.name)
        kept = originals.record(key, node.command("DUMP", params.name), place=str(params.db), now_ms=now_ms)
        page = progress.archive.append([kept])
        progress.check()
        if _is_removed(node, kept):
            progress.archive.settle(page)
            return
        progress.archive.settle(page, ())
    raise Busy("The key keeps changing while it is kept.", way_out="Stop what writes it, then plan again.")


def _is_removed(node: RedisNode, kept: Record) -> bool:
    """False where somebody wrote in between."""
    try:
        return node.replies([("MULTI",), ("UNLINK", kept.name), ("EXEC",)])[-1] is not None
    except OutOfMemory:
        return unlink_as_kept(node, [kept])[0]

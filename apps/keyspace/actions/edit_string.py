"""Write a string anew, if it still is what was read; what was there is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.engine.connections.redis import RedisNode, redis_node
from apps.engine.contracts.action import Action, Moved, Planning, Progress, Refused, Tier
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Check, Ending, Fact, Figure, Outcome, Plan, exactly, say
from apps.engine.errors import Gone
from apps.engine.target import Kind, Target
from apps.engine.text import plain
from apps.keyspace import originals
from apps.keyspace.edits import RestoreEdit, digest, write
from apps.keyspace.places import writable

MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    name: bytes = param("Key", fixed=True)
    db: int = param("Database", fixed=True, default=0, least=0, most=65_535)
    node: str = param("Node", fixed=True, default="")
    value: str = param("Value", secret=True, lines=True, mono=True, most_bytes=MOST_BYTES)


class EditString(Action[Params]):
    key = "keyspace.edit_string"
    title = "Edit a string"
    verb = "Edit"
    icon = "pencil"
    kind = Kind.REDIS
    tier = Tier.T3
    permission = "keys.change"
    feature = "keyspace.change"
    params = Params
    undo = RestoreEdit()
    never = "The key's expiry, and any other key."
    inline = True
    reveals = "data.unmask"

    def prefill(self, target: Target, known: Mapping[str, Any]) -> Mapping[str, Any]:
        """The present value, for whoever may see it. Errors: Refused where it is no text of at most 64 KiB, Gone."""
        there = writable(target, db=int(known.get("db") or 0), node=str(known.get("node") or ""))
        with redis_node(there) as node:
            return {"value": _text(_value(node, known["name"]))}

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one string. Cost: TYPE, STRLEN, GETRANGE, PTTL. Errors: Refused, Gone, Unsupported on a replica."""
        new = params.value.encode()
        with redis_node(writable(target, db=params.db, node=params.node)) as node:
            originals.primary(node)
            old = _value(node, params.name)
            ttl_ms = int(node.command("PTTL", params.name))
        shown = plain(params.name, most=80)
        return Plan(
            effect="Write this value",
            of=say(params.name, f" in db {params.db}"),
            keep="Keep the value",
            figures=(
                Figure(label="Now", amount=exactly(len(old), "B")),
                Figure(label="Then", amount=exactly(len(new), "B")),
                Figure(label="Bytes that differ", amount=exactly(_differ(old, new), "B")),
            ),
            facts=(
                Fact(label="Expiry", words=say("stays as it is" if ttl_ms >= 0 else "none, and stays so")),
                *_json_facts(old, new),
            ),
            commands=(
                f"WATCH {shown}",
                f"GETRANGE {shown} 0 -1",
                "MULTI",
                f"SET {shown} <{len(new)} bytes> KEEPTTL",
                "EXEC",
            ),
            undo=say("The former value is kept; undo writes it back if the present one is still that of this run."),
            most_count=1,
            observed={"value": digest(old)},
            blocked=say("The value is that already.") if old == new else (),
        )

    def checks(self, target: Target, params: Params, *, plan: Plan) -> Sequence[Check]:
        with redis_node(writable(target, db=params.db, node=params.node)) as node:
            now = digest(_value(node, params.name))
        before = plan.observed["value"]
        return [Check(label="The value", planned=before[:12], now=now[:12], ok=now == before, words="by its SHA-256")]

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        with progress.redis(writable(target, db=params.db, node=params.node).address) as node:
            node.command("SELECT", params.db)
            done = write(
                node,
                progress,
                name=params.name,
                value=params.value.encode(),
                was=plan.observed["value"],
                place=str(params.db),
            )
        if not done:
            raise Moved(
                "The value was changed by somebody else meanwhile. Nothing was written.", way_out="Open it again."
            )
        progress.step(1, total_count=1)
        return Outcome(ending=Ending.DONE, said=say("Written: ", params.name, f" in db {params.db}."))


ACTION = EditString()


def _value(node: RedisNode, name: bytes) -> bytes:
    key_type, length = node.pipeline([("TYPE", name), ("STRLEN", name)])
    if key_type == b"none":
        raise Gone("The key is gone.")
    if key_type != b"string":
        raise Refused("Only strings can be edited here.", way_out="Open the key again.")
    if not isinstance(length, int) or length > MOST_BYTES:
        raise Refused(f"The value is larger than {MOST_BYTES // 1024} KiB: it cannot be edited in a page.")
    return bytes(node.command("GETRANGE", name, 0, -1))


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Refused("The value is not text: writing it from a form would damage it.") from None


def _differ(old: bytes, new: bytes) -> int:
    return sum(a != b for a, b in zip(old, new, strict=False)) + abs(len(old) - len(new))


def _json_facts(old: bytes, new: bytes) -> tuple[Fact, ...]:
    was, is_now = _is_json(old), _is_json(new)
    if was and not is_now:
        return (Fact(label="Form", words=say("It was JSON, and would not be any more."), signal="warn"),)
    return (Fact(label="Form", words=say("JSON before and after.")),) if was else ()


def _is_json(value: bytes) -> bool:
    if value[:1] not in (b"{", b"[", b'"'):
        return False
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True

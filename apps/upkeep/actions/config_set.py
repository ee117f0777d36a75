"""Change one setting of one Redis node, from the list of those that can do no harm to files and sign-in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.engine import units
from apps.engine.connections.redis import RedisNode, redis_node
from apps.engine.contracts.action import Action, Moved, Planning, Progress, Refused, Tier, Undo
from apps.engine.contracts.archive import Originals, Record
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Check, Ending, Fact, Figure, Outcome, Plan, Sentence, exactly, say
from apps.engine.errors import Unsupported
from apps.engine.glob import compiled
from apps.engine.target import Kind, Target
from apps.engine.text import plain
from apps.upkeep import nodes
from apps.upkeep.nodes import OfNode
from apps.upkeep.reads.info import Info
from apps.upkeep.reads.redis import config_value
from apps.upkeep.reads.redis_settings import CATALOGUE
from apps.upkeep.settable import parsed, settable

WAS, SET = "was", "set"
MEANINGS = {known.name: known.meaning for known in CATALOGUE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(OfNode):
    name: str = param("Setting", fixed=True)
    value: str = param("New value", default="", mono=True, most_bytes=200, help="Sizes may be written as 512mb or 4gb.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was before, and what the server said afterwards; None where the run ended between the two."""

    was: str
    now: str | None


class SetBack(Undo[Params]):
    """Sets the former value again, unless somebody changed it since."""

    def plan(self, target: Target, params: Params, *, originals: Originals, only: bytes, planning: Planning) -> Plan:
        """Cost: the archive, and one CONFIG GET. Errors: Refused where the pattern leaves the setting out."""
        kept = _kept(originals, only)
        with redis_node(target, address=nodes.address_of(target, params)) as node:
            now = current(node, params.name)
            info = nodes.asked(node)
        return Plan(
            effect=f"Set {params.name} back",
            of=say(f"on {nodes.address_of(target, params)}"),
            keep="Leave it",
            figures=(Figure(label="Settings set back", amount=exactly(1)),),
            facts=(
                Fact(label="Now", words=say(shown(now))),
                Fact(label="Then", words=say(shown(kept.was))),
            ),
            commands=(_command(params.name, kept.was),),
            warnings=consequences(info, params.name, kept.was),
            most_count=1,
            observed={"value": now},
            blocked=() if _is_ours(params, kept, now) else say("It was changed since: to ", now.encode(), "."),
        )

    def run(
        self, target: Target, params: Params, *, originals: Originals, only: bytes, plan: Plan, progress: Progress
    ) -> Outcome:
        kept = _kept(originals, only)
        with progress.redis(nodes.address_of(target, params)) as node:
            now = current(node, params.name)
            if not _is_ours(params, kept, now):
                raise Moved("The setting was changed since. Nothing was done.")
            progress.check()
            node.command("CONFIG", "SET", params.name, kept.was)
        progress.step(1, total_count=1)
        return Outcome(ending=Ending.DONE, said=say(f"{params.name} is ", kept.was.encode(), " again."))


class ConfigSet(Action[Params]):
    key = "upkeep.config_set"
    title = "Change a setting"
    verb = "Change"
    icon = "adjustments"
    kind = Kind.REDIS
    tier = Tier.T3
    permission = "settings.change"
    feature = "upkeep.config_set"
    params = Params
    undo = SetBack()
    never = "Files, folders, passwords, users, addresses, modules, persistence; the server's configuration file; another node."
    inline = True

    def prefill(self, target: Target, known: Mapping[str, Any]) -> Mapping[str, Any]:
        """The value as it is. Errors: Refused for a setting that is not changed from here; those of redis_node."""
        name = str(known.get("name") or "")
        if not name:
            return {}
        settable(name)
        address = nodes.address_of(target, OfNode(node=str(known.get("node") or "")))
        with redis_node(target, address=address) as node:
            return {"value": current(node, name)}

    def prepared(self, params: Params) -> Params:
        """The value as it is sent. Errors: Refused with what the setting takes."""
        return Params(node=params.node, name=params.name, value=parsed(params.name, params.value))

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one setting. Cost: one CONFIG GET, one INFO. Errors: Refused; Unsupported where this version has no such setting.

        Source: CONFIG GET, INFO.
        """
        address, value = nodes.address_of(target, params), parsed(params.name, params.value)
        with redis_node(target, address=address) as node:
            now, info = current(node, params.name), nodes.asked(node)
        return Plan(
            effect=f"Set {params.name} to {shown(value)}"[:200],
            of=say(f"on {address}"),
            keep="Leave it",
            facts=_facts(target, info, params.name, now=now, value=value),
            commands=(_command(params.name, value),),
            undo=say(
                "Undo sets ", now.encode() or b'""', " again, unless it was changed since. It brings back no key."
            ),
            warnings=consequences(info, params.name, value),
            most_count=1,
            observed={"value": now},
            blocked=say("It has this value already.") if now == value else (),
        )

    def checks(self, target: Target, params: Params, *, plan: Plan) -> Sequence[Check]:
        with redis_node(target, address=nodes.address_of(target, params)) as node:
            now = current(node, params.name)
        planned = plan.observed["value"]
        return [Check(label=params.name, planned=shown(planned), now=shown(now), ok=now == planned)]

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        address, value = nodes.address_of(target, params), parsed(params.name, params.value)
        with progress.redis(address) as node:
            was = current(node, params.name)
            if was != plan.observed["value"]:
                raise Moved("The setting was changed since the plan. Nothing was done.", way_out="Plan it again.")
            page = progress.archive.append([_record(params.name, was, address=str(address), kind=WAS)])
            progress.check()
            node.command("CONFIG", "SET", params.name, value)
            progress.archive.settle(page)
            now = current(node, params.name)
        progress.archive.settle(progress.archive.append([_record(params.name, now, address=str(address), kind=SET)]))
        progress.step(1, total_count=1)
        return Outcome(
            ending=Ending.DONE,
            said=say(f"{params.name} is ", now.encode() or b'""', ", it was ", was.encode() or b'""', "."),
            facts=(Fact(label="After a restart", words=_after_restart(params.name, now), signal="warn"),),
        )


ACTION = ConfigSet()


def current(node: RedisNode, name: str) -> str:
    """The value as the server says it. Errors: Refused for one that is not changed from here; Unsupported; NotPermitted."""
    settable(name)
    value = config_value(node.command("CONFIG", "GET", name))
    if value is None:
        raise Unsupported(
            f"This server has no setting {name}.", way_out="Its version, or the service that runs it, lacks it."
        )
    return value


def shown(value: str) -> str:
    return plain(value.encode("utf-8", "surrogateescape"), most=100) or '""'


def _command(name: str, value: str) -> str:
    return f"CONFIG SET {name} {shown(value)}"


def _record(name: str, value: str, *, address: str, kind: str) -> Record:
    return Record(name=name.encode(), content=value.encode("utf-8", "surrogateescape"), place=address, kind=kind)


def _kept(originals: Originals, only: bytes) -> Kept:
    wanted = compiled(only) if only else None
    values = {
        record.kind: record.content.decode("utf-8", "surrogateescape")
        for record in originals.records()
        if wanted is None or wanted.matches(record.name)
    }
    if WAS not in values:
        raise Refused("No setting that this run changed has such a name.", field="only")
    return Kept(was=values[WAS], now=values.get(SET))


def _is_ours(params: Params, kept: Kept, now: str) -> bool:
    return now == (kept.now if kept.now is not None else params.value)


# -- in words ----------------------------------------------------------------------------------------------------------


def _facts(target: Target, info: Info, name: str, *, now: str, value: str) -> tuple[Fact, ...]:
    facts = [
        Fact(label="Now", words=_with_unit(name, now)),
        Fact(label="Then", words=_with_unit(name, value)),
        Fact(label="After a restart", words=_after_restart(name, value), signal="warn"),
    ]
    if name in MEANINGS:
        facts.insert(0, Fact(label="What it is", words=say(MEANINGS[name])))
    if others := nodes.other_nodes(target):
        facts.append(Fact(label="Other nodes", words=say(others)))
    return tuple(facts)


def _with_unit(name: str, value: str) -> Sentence:
    """A number with its unit, and bytes as a person reads them besides."""
    unit, is_number = settable(name).unit, value.lstrip("-").isdigit()
    size = (
        f" ({' '.join(units.memory(int(value)))})" if unit == "bytes" and is_number and int(value) >= units.KIB else ""
    )
    return say(value.encode("utf-8", "surrogateescape") or b'""', f" {unit}{size}" if is_number else "")


def _after_restart(name: str, value: str) -> Sentence:
    line = f"{name} {value}" if value else f'{name} ""'
    words = "the server's configuration file counts again. CONFIG REWRITE is not run: put "
    return say(words, line.encode(), " there as well.")


def consequences(info: Info, name: str, value: str) -> tuple[Sentence, ...]:
    """What follows at once for keys and clients."""
    match name:
        case "maxmemory" if value == "0":
            return (say("Without a limit the node grows until the kernel ends it."),)
        case "maxmemory":
            return _over(info, limit_bytes=int(value), policy=info.text("maxmemory_policy") or "")
        case "maxmemory-policy":
            return _over(info, limit_bytes=info.number("maxmemory") or 0, policy=value)
        case "slowlog-max-len":
            return (say("Where it is shortened, the oldest entries are gone with the next slow command."),)
        case "timeout" if value != "0":
            return (
                say(f"Clients that are idle for {value} s are disconnected, workers that wait for a job among them."),
            )
        case _:
            return ()


def _over(info: Info, *, limit_bytes: int, policy: str) -> tuple[Sentence, ...]:
    """What is above a limit goes at once, or writes are refused."""
    used = (info.number("used_memory") or 0) - (info.number("mem_not_counted_for_evict") or 0)
    over = used - limit_bytes
    if not limit_bytes or over <= 0:
        return ()
    size = " ".join(units.memory(over))
    if policy == "noeviction":
        return (say(f"{size} more is used than that: writes are refused at once, until keys go."),)
    keys, dataset = _keys_count(info), info.number("used_memory_dataset") or used
    share = (
        f", about {min(keys, round(keys * over / max(dataset, 1))):,} of {keys:,} keys at their mean size"
        if keys
        else ""
    )
    said = [
        say(f"{size} more is used than that: with {policy} keys are evicted at once{share}. No undo brings them back.")
    ]
    if policy.startswith("volatile"):
        said.append(say("Only keys that expire are evicted; without such keys, writes are refused."))
    return tuple(said)


def _keys_count(info: Info) -> int:
    found = (info.pairs(name).get("keys", "") for name in info.fields if name.startswith("db") and name[2:].isdigit())
    return sum(int(count) for count in found if count.isdigit())

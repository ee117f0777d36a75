"""Empty the slow log of one node of a Redis, or of all; its figures by shape stay with the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.engine.connections.redis import redis_node
from apps.engine.contracts.action import Action, Moved, NoUndo, Planning, Progress, Stopped, Tier
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Check, Ending, Fact, Figure, Outcome, Plan, Sentence, exactly, say
from apps.engine.errors import EngineError
from apps.engine.target import Address, Kind, Target
from apps.engine.units import duration_text
from apps.slow_queries.emptying import NodeLog, Planned, empty_log, read_log, shapes_table

MOST_NODES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    node: str = param("Node", fixed=True, default="")


class ResetSlowlog(Action[Params]):
    """Without a node it is all of them: each has a log of its own."""

    key = "slow_queries.reset_slowlog"
    title = "Empty the slow log"
    verb = "Empty the log"
    icon = "trash"
    kind = Kind.REDIS
    tier = Tier.T2
    permission = "stats.reset"
    feature = "slow.reset"
    params = Params
    undo = NoUndo(
        "No server takes entries of a log back. Figures by shape stay with this run; arguments and clients do not."
    )
    never = "Keys, settings, latency events and command statistics."
    inline = True
    lost = "Some nodes may be empty, and what was in their logs is then in no record."

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: at most 128 entries a node. Cost: one round trip a node. Errors: those of redis_node. Source: SLOWLOG GET, LEN."""
        logs: list[NodeLog] = []
        for address in _addresses(target, params):
            planning.check(len(logs), len(target.addresses))
            with redis_node(target, address=address) as node:
                logs.append(read_log(node))
        count = sum(log.kept_count for log in logs)
        return Plan(
            effect=f"Drop {count:,} {'entries' if count != 1 else 'entry'} of the slow log",
            of=_of(target, params),
            keep="Keep the log",
            figures=_figures(logs, count),
            facts=_facts(logs),
            sample=shapes_table(logs),
            commands=tuple(f"SLOWLOG RESET  # {log.address}" for log in logs),
            most_count=count,
            observed={str(log.address): log.state for log in logs},
            blocked=() if count else say("The log is empty already."),
        )

    def checks(self, target: Target, params: Params, *, plan: Plan) -> Sequence[Check]:
        found = []
        for address in _addresses(target, params):
            with redis_node(target, address=address) as node:
                found.append(_check(plan, read_log(node)))
        return found

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        addresses = _addresses(target, params)
        emptied: list[NodeLog] = []
        failed: list[tuple[Address, EngineError]] = []
        for address in addresses:
            try:
                emptied.append(_empty(address, plan, progress))
                progress.step(len(emptied), total_count=len(addresses))
            except Stopped as stopped:
                if not emptied and not isinstance(stopped, Moved):
                    raise
                failed.append((address, stopped))
            except EngineError as error:
                failed.append((address, error))
        if not emptied:
            raise failed[0][1]
        return _outcome(emptied, failed)


ACTION = ResetSlowlog()


def _empty(address: Address, plan: Plan, progress: Progress) -> NodeLog:
    with progress.redis(address) as node:
        check = _check(plan, read_log(node))
        if not check.ok:
            raise Moved(f"{check.label}: {check.now}. It was left as it is.", way_out="Plan it again.")
        progress.check()
        return empty_log(node)


def _addresses(target: Target, params: Params) -> tuple[Address, ...]:
    return (target.named(params.node).address,) if params.node else target.addresses[:MOST_NODES]


def _check(plan: Plan, now: NodeLog) -> Check:
    label = f"The log of {now.address}"
    state = plan.observed.get(str(now.address))
    if state is None:
        return Check(label=label, planned="none", now="a node that was registered since", ok=False)
    planned = Planned.of(state)
    why = planned.why_moved(now)
    return Check(
        label=label,
        planned=f"{planned.kept_count:,} entries",
        now=why or f"{now.kept_count:,} entries",
        ok=not why,
        words="It may grow meanwhile.",
    )


def _of(target: Target, params: Params) -> Sentence:
    nodes = len(target.addresses)
    return say(f"on {params.node}" if params.node else f"on all {nodes} nodes" if nodes > 1 else f"on {target.address}")


def _figures(logs: Sequence[NodeLog], count: int) -> tuple[Figure, ...]:
    entries = [entry for log in logs for entry in log.entries]
    figures = [
        Figure(
            label="Entries dropped",
            amount=exactly(count),
            note=say(f"on {len(logs)} node{'s' if len(logs) != 1 else ''}"),
            grave=True,
        )
    ]
    if entries:
        slowest = max(entries, key=lambda entry: entry.took_s)
        figures.append(
            Figure(label="Slowest of them", amount=exactly(slowest.took_s, "s"), note=say(slowest.shape.name.encode()))
        )
    return tuple(figures)


def _facts(logs: Sequence[NodeLog]) -> tuple[Fact, ...]:
    entries = [entry for log in logs for entry in log.entries]
    facts = []
    if entries:
        oldest, newest = min(entry.at for entry in entries), max(entry.at for entry in entries)
        whole = all(log.is_whole for log in logs)
        facts.append(Fact(label="Oldest" if whole else "Oldest of those read", words=say(_when(oldest))))
        facts.append(Fact(label="Newest", words=say(_when(newest))))
    stays = "the shapes below, with how often and how long; not the arguments and not the clients"
    return (*facts, Fact(label="What stays of it", words=say(stays)))


def _when(moment: datetime) -> str:
    ago_s = max((datetime.now(UTC) - moment).total_seconds(), 0.0)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC, {duration_text(ago_s)} ago"


def _outcome(emptied: Sequence[NodeLog], failed: Sequence[tuple[Address, EngineError]]) -> Outcome:
    count = sum(log.kept_count for log in emptied)
    return Outcome(
        ending=Ending.PARTIAL if failed else Ending.DONE,
        said=say(f"Emptied the slow log of {', '.join(str(log.address) for log in emptied)}."),
        figures=(Figure(label="Entries dropped", amount=exactly(count), note=say(f"of {_nodes(emptied, failed)}")),),
        facts=tuple(Fact(label=str(address), words=say(error.message), signal="warn") for address, error in failed),
        table=shapes_table(emptied),
    )


def _nodes(emptied: Sequence[NodeLog], failed: Sequence[tuple[Address, EngineError]]) -> str:
    every = len(emptied) + len(failed)
    return f"{len(emptied)} of {every} nodes" if every > 1 else "one node"

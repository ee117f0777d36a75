"""The undo of every change of a user: each node gets back what it had, where it still is what the run left there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.acl import applying, definitions, lockout, user_plans
from apps.acl.applying import Job, Kept, Wanted
from apps.acl.nodes import Node, Nodes, look
from apps.engine.connections.redis import RedisNode
from apps.engine.contracts.action import Planning, Progress, Refused, Undo
from apps.engine.contracts.archive import Originals
from apps.engine.contracts.plan import Cell, Fact, Figure, Outcome, Plan, Table, exactly, say
from apps.engine.glob import compiled
from apps.engine.redact import shown
from apps.engine.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What becomes of one node, as a command or as the reason why there is none."""

    node: Node
    wanted: Wanted


class RestoreUser(Undo[Any]):
    """Puts a user back as it was, node by node, or takes away one that was made. `params` has its name."""

    def plan(self, target: Target, params: Any, *, originals: Originals, only: bytes, planning: Planning) -> Plan:
        """Cost: three round trips a node. Errors: Refused for a user that the console signs in as."""
        kept = _kept(originals, only)
        nodes = look(target, name=params.name, without_missing=True, planning=planning)
        lockout.check_own(target, nodes, name=params.name)
        steps = [Step(node=node, wanted=_wanted(node, kept, params.name)) for node in nodes.there]
        return _plan(params.name, nodes, steps)

    def run(
        self, target: Target, params: Any, *, originals: Originals, only: bytes, plan: Plan, progress: Progress
    ) -> Outcome:
        kept = _kept(originals, only)

        def change(line: RedisNode, node: Node, nodes: Nodes) -> Wanted:
            return _wanted(node, kept, params.name)

        job = Job(name=params.name, marks=plan.observed, change=change, without_missing=True, keeps=False)
        done = applying.carry_out(target, job, progress)
        return applying.outcome(done, say("Put ", params.name, " back as it was."), name=params.name, disconnect=False)


def _kept(originals: Originals, only: bytes) -> Mapping[str, Kept]:
    """By node; the first that was kept of each. Errors: Refused where nothing fits the pattern."""
    wanted = compiled(only) if only else None
    found: dict[str, Kept] = {}
    for record in originals.records():
        if wanted is None or wanted.matches(record.name):
            found.setdefault(record.place, applying.kept(record))
    if not found:
        raise Refused("Nothing that this run changed has such a name.", field="only")
    return found


def _wanted(node: Node, kept: Mapping[str, Kept], name: bytes) -> Wanted:
    """Only where the node still holds what the run left: what somebody made of it since is left alone."""
    was = kept.get(str(node.address))
    if was is None:
        return Wanted(command=None, why="the run did not change it here")
    before = definitions.of_line(was.line) if was.line else None
    if node.mark == (before.mark if before else ""):
        return Wanted(command=None, why="it is as it was already")
    if node.mark != was.after:
        return Wanted(command=None, why="it was changed since by somebody else, and is left alone")
    if before is None:
        return Wanted(command=("ACL", "DELUSER", name), mark="")
    return Wanted(command=("ACL", "SETUSER", name, *before.words), mark=before.mark)


def _plan(name: bytes, nodes: Nodes, steps: Sequence[Step]) -> Plan:
    doing = [step for step in steps if step.wanted.command]
    deletes = any(step.wanted.mark == "" for step in doing)
    what = "Delete" if deletes else "Put back"
    return Plan(
        effect=f"{what} {user_plans.shown(name)}{user_plans.on_nodes(len(doing), nodes)}",
        of=say("the user ", name, ", as each node held it before the run"),
        keep="Leave it as it is",
        figures=(
            Figure(label="Put back", amount=exactly(len(doing), "nodes")),
            Figure(label="Left alone", amount=exactly(len(steps) - len(doing), "nodes")),
            user_plans.clients_figure(nodes, grave=deletes),
        ),
        facts=(
            Fact(label="Its clients", words=say(_clients_words(nodes, deletes=deletes))),
            *user_plans.node_facts(nodes),
        ),
        sample=_table(steps),
        commands=tuple(dict.fromkeys(shown(step.wanted.command) for step in doing if step.wanted.command)),
        most_count=len(steps),
        observed=applying.marks(nodes),
        blocked=() if doing else say("There is nothing left to put back."),
    )


def _clients_words(nodes: Nodes, *, deletes: bool) -> str:
    if deletes:
        return "are disconnected by the server"
    return "stay connected; the rules hold for them at once" if nodes.holders else "have to sign in again"


def _table(steps: Sequence[Step]) -> Table:
    rows = tuple(
        (
            Cell(text=str(step.node.address)),
            Cell(text="put back" if step.wanted.command else "left alone"),
            Cell(text=step.wanted.why),
        )
        for step in steps
    )
    return Table(columns=("Node", "What", "Why"), rows=rows, said="every node that answered")

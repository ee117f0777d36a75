"""Switch a user on again on every node that has it."""

from __future__ import annotations

from dataclasses import dataclass

from apps.acl import applying, lockout, user_plans
from apps.acl.applying import Wanted
from apps.acl.changing import ChangesUser
from apps.acl.nodes import Node, Nodes, look
from apps.engine.connections.redis import RedisNode
from apps.engine.contracts.action import Planning, Progress
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Fact, Outcome, Plan, say
from apps.engine.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    name: bytes = param("User", fixed=True)
    without_missing: bool = user_plans.without_missing()


class EnableUser(ChangesUser[Params]):
    """Sends `on` alone, not the whole rule: one word cannot lose what somebody else changed at that moment."""

    key = "acl.enable_user"
    title = "Switch a user on"
    verb = "Switch on"
    icon = "user-check"
    params = Params

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one user on every node. Cost: three round trips a node. Errors: Refused, Gone, NotPermitted."""
        nodes = look(target, name=params.name, without_missing=params.without_missing, planning=planning)
        user_plans.check_there(nodes, name=params.name)
        lockout.check_own(target, nodes, name=params.name)
        off = [node for node in nodes.holders if node.definition and not node.definition.is_on]
        held = (off or list(nodes.holders))[0].definition
        assert held is not None
        user = user_plans.user_with(
            params.name, held.rules, is_on=True, passwords=held.passwords, version=nodes.holders[0].version
        )
        return Plan(
            effect=f"Switch {user_plans.shown(params.name)} on{user_plans.on_nodes(len(off), nodes)}",
            of=say("the user ", params.name, f" of {target.name}"),
            keep="Leave it off",
            figures=(user_plans.nodes_figure(nodes), user_plans.clients_figure(nodes)),
            facts=(
                *user_plans.words_facts(None, user),
                Fact(label="Rules and passwords", words=say("stay as they are")),
                *user_plans.node_facts(nodes),
            ),
            warnings=user_plans.warnings_of(user),
            commands=user_plans.commands(("on",), name=params.name, nodes=nodes, tries=False, ends=False),
            undo=say("Undo switches it off again on each node where it was off."),
            most_count=len(nodes.there),
            observed=applying.marks(nodes),
            blocked=() if off else say("It is on on every node that has it."),
        )

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        said = say("Switched ", params.name, " on.")
        return self.carried_out(target, params, plan=plan, progress=progress, change=_on, said=said)


ACTION = EnableUser()


def _on(line: RedisNode, node: Node, nodes: Nodes) -> Wanted:
    if node.definition is None:
        return Wanted(command=None, why="it has no such user")
    if node.definition.is_on:
        return Wanted(command=None, why="it is on already")
    mark = applying.as_it_was(node.definition, is_on=True)
    return Wanted(command=("ACL", "SETUSER", node.definition.name, "on"), mark=mark)

"""Switch a user off on every node: nobody signs in as it any more."""

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
    disconnect: bool = user_plans.disconnect()
    default_too: bool = user_plans.default_too()
    replication_too: bool = user_plans.replication_too()
    without_missing: bool = user_plans.without_missing()


class DisableUser(ChangesUser[Params]):
    """Sends `off` alone, not the whole rule: one word cannot lose what somebody else changed at that moment."""

    key = "acl.disable_user"
    title = "Switch a user off"
    verb = "Switch off"
    icon = "user-off"
    params = Params
    grave = True

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one user on every node. Cost: three round trips a node. Errors: Refused, Gone, NotPermitted."""
        nodes = look(target, name=params.name, without_missing=params.without_missing, planning=planning)
        user_plans.check_there(nodes, name=params.name)
        lockout.check_own(target, nodes, name=params.name)
        lockout.check_default(nodes, name=params.name, meant=params.default_too)
        lockout.check_trusted(nodes, name=params.name, meant=params.replication_too)
        on = [node for node in nodes.holders if node.definition and node.definition.is_on]
        ends = "are disconnected" if params.disconnect else "stay connected until they end by themselves"
        return Plan(
            effect=f"Switch {user_plans.shown(params.name)} off{user_plans.on_nodes(len(on), nodes)}",
            of=say("the user ", params.name, f" of {target.name}"),
            keep="Leave it on",
            figures=(
                user_plans.nodes_figure(nodes),
                user_plans.clients_figure(nodes, grave=params.disconnect),
            ),
            facts=(
                Fact(label="Sign-in", words=say("nobody signs in as it any more, whatever the password")),
                Fact(label="Its clients", words=say(ends), signal="" if params.disconnect else "warn"),
                Fact(label="Rules and passwords", words=say("stay as they are")),
                *user_plans.node_facts(nodes),
            ),
            sample=user_plans.clients_table(nodes),
            commands=user_plans.commands(("off",), name=params.name, nodes=nodes, tries=False, ends=params.disconnect),
            undo=say(
                "Undo switches it on again on each node where it was on. Clients that were ended have to sign in again."
            ),
            most_count=len(nodes.there),
            observed=applying.marks(nodes),
            blocked=() if on else say("It is off on every node already."),
        )

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        said = say("Switched ", params.name, " off", " and disconnected its clients." if params.disconnect else ".")
        return self.carried_out(
            target, params, plan=plan, progress=progress, change=_off, said=said, disconnect=params.disconnect,
            default_too=params.default_too, replication_too=params.replication_too,
        )  # fmt: skip


ACTION = DisableUser()


def _off(line: RedisNode, node: Node, nodes: Nodes) -> Wanted:
    if node.definition is None:
        return Wanted(command=None, why="it has no such user")
    if not node.definition.is_on:
        return Wanted(command=None, why="it is off already")
    mark = applying.as_it_was(node.definition, is_on=False)
    return Wanted(command=("ACL", "SETUSER", node.definition.name, "off"), mark=mark)

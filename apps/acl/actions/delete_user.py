"""Delete a user on every node; the server ends its connections with it."""

from __future__ import annotations

from dataclasses import dataclass

from apps.acl import applying, lockout, user_plans
from apps.acl.applying import Wanted
from apps.acl.changing import ChangesUser
from apps.acl.nodes import Node, Nodes, look
from apps.engine.connections.redis import RedisNode
from apps.engine.contracts.action import Planning, Progress, Refused
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Fact, Outcome, Plan, say
from apps.engine.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    name: bytes = param("User", fixed=True)
    replication_too: bool = user_plans.replication_too()
    without_missing: bool = user_plans.without_missing()


class DeleteUser(ChangesUser[Params]):
    key = "acl.delete_user"
    title = "Delete a user"
    verb = "Delete"
    icon = "trash"
    params = Params
    grave = True

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one user on every node. Cost: three round trips a node. Errors: Refused, Gone, NotPermitted."""
        _check_name(params)
        nodes = look(target, name=params.name, without_missing=params.without_missing, planning=planning)
        user_plans.check_there(nodes, name=params.name)
        lockout.check_own(target, nodes, name=params.name)
        lockout.check_trusted(nodes, name=params.name, meant=params.replication_too)
        return Plan(
            effect=f"Delete {user_plans.shown(params.name)}{user_plans.on_nodes(len(nodes.holders), nodes)}",
            of=say("the user ", params.name, f" of {target.name}"),
            keep="Keep the user",
            figures=(user_plans.nodes_figure(nodes), user_plans.clients_figure(nodes, grave=True)),
            facts=(
                Fact(label="Its clients", words=say("are disconnected by the server, and cannot sign in again")),
                *user_plans.node_facts(nodes),
            ),
            sample=user_plans.clients_table(nodes),
            commands=user_plans.commands(None, name=params.name, nodes=nodes, tries=False, ends=False, deletes=True),
            undo=say(
                "The user is kept sealed with its passwords; undo makes it again unless one of that name exists by then."
            ),
            most_count=len(nodes.there),
            observed=applying.marks(nodes),
        )

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        _check_name(params)
        said = say("Deleted the user ", params.name, ".")
        return self.carried_out(
            target,
            params,
            plan=plan,
            progress=progress,
            change=_gone,
            said=said,
            replication_too=params.replication_too,
        )


ACTION = DeleteUser()


def _check_name(params: Params) -> None:
    if params.name == lockout.DEFAULT:
        raise Refused("The user `default` cannot be deleted: every client that does not sign in is it.")


def _gone(line: RedisNode, node: Node, nodes: Nodes) -> Wanted:
    if node.definition is None:
        return Wanted(command=None, why="it has no such user")
    return Wanted(command=("ACL", "DELUSER", node.definition.name), mark="")

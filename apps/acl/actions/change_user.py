"""Give a user other rules or another password, on every node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.acl import applying, decisions, grammar, lockout, user_plans
from apps.acl.changing import ChangesUser, with_hash
from apps.acl.decisions import Decisions
from apps.acl.grammar import Rules
from apps.acl.nodes import Node, Nodes, look
from apps.acl.passwords import ADD, KEEP, NONE, NOPASS, REPLACE, Passwords
from apps.acl.proposing import Proposal, rehearsed
from apps.engine.contracts.action import Planning, Progress
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Fact, Figure, Outcome, Plan, exactly, say
from apps.engine.target import Target

STAY = "stay connected, and the new rules hold at once; the server ends those that listen to a channel it loses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    name: bytes = param("User", fixed=True)
    rules: str = param(
        "What it may",
        lines=True,
        mono=True,
        most_bytes=16_384,
        help="All of it: what is not written here is not allowed. Read from left to right, such as ~cart:* -@all +@read +set.",
    )
    passwords: str = param(
        "Its passwords",
        default=KEEP,
        choices=(
            (KEEP, "Keep the present ones"),
            (ADD, "Add the new one: both work"),
            (REPLACE, "Only the new one"),
            (NONE, "None: nobody can sign in with a password"),
            (NOPASS, "Ask for none: whoever reaches the port may be this user"),
        ),
    )
    password: str = param(
        "New password", default="", secret=True, most_bytes=512, help="Only its SHA-256 is sent, and kept sealed."
    )
    disconnect: bool = user_plans.disconnect()
    default_too: bool = user_plans.default_too()
    replication_too: bool = user_plans.replication_too()
    without_missing: bool = user_plans.without_missing()


class ChangeUser(ChangesUser[Params]):
    key = "acl.change_user"
    title = "Change a user"
    verb = "Change"
    icon = "pencil"
    params = Params

    def prefill(self, target: Target, known: Mapping[str, Any]) -> Mapping[str, Any]:
        """The present rules as the first node that has the user writes them. Errors: Gone."""
        nodes = look(target, name=known["name"], without_missing=True)
        user_plans.check_there(nodes, name=known["name"])
        held = nodes.holders[0].definition
        return {"rules": grammar.written(held.rules)} if held else {}

    def prepared(self, params: Params) -> Params:
        return with_hash(params)  # type: ignore[no-any-return]

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one user on every node, at most 60 commands compared. Cost: seven round trips a node.

        Errors: Refused with the field that is wrong, Gone, NotPermitted. Source: ACL LIST, ACL CAT, ACL DRYRUN, CLIENT LIST.
        """
        proposal = Proposal(
            name=params.name,
            rules=grammar.parsed(params.rules),
            passwords=Passwords.of(params.passwords, params.password),
        )
        nodes = look(target, name=params.name, without_missing=params.without_missing, planning=planning)
        user_plans.check_there(nodes, name=params.name)
        _check(target, params, nodes)
        user_plans.check_versions(nodes, proposal.rules)
        decided = decisions.decide(target, nodes, proposal.rules, is_new=False, planning=planning)
        return _plan(target, params, nodes, proposal, decided)

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        proposal = Proposal(
            name=params.name,
            rules=grammar.parsed(params.rules),
            passwords=Passwords.of(params.passwords, params.password),
        )
        touches_sign_in = params.passwords != KEEP
        return self.carried_out(
            target, params, plan=plan, progress=progress, said=say("Changed the user ", params.name, "."),
            change=rehearsed(proposal, plan=plan, progress=progress), disconnect=params.disconnect,
            default_too=params.default_too or not touches_sign_in, replication_too=params.replication_too,
        )  # fmt: skip


ACTION = ChangeUser()


def _check(target: Target, params: Params, nodes: Nodes) -> None:
    lockout.check_own(target, nodes, name=params.name)
    lockout.check_default(nodes, name=params.name, meant=params.default_too or params.passwords == KEEP)
    lockout.check_trusted(nodes, name=params.name, meant=params.replication_too)


def _plan(target: Target, params: Params, nodes: Nodes, proposal: Proposal, decided: Decisions) -> Plan:
    first = nodes.holders[0]
    assert first.definition is not None
    before = first.definition.user
    after = proposal.user(first, nodes)
    ends = "are disconnected" if params.disconnect else STAY
    return Plan(
        effect=f"Change {user_plans.shown(params.name)}{user_plans.on_nodes(len(nodes.there), nodes)}",
        of=say("the user ", params.name, f" of {target.name}"),
        keep="Keep its rules",
        figures=(
            user_plans.nodes_figure(nodes),
            user_plans.clients_figure(nodes, grave=params.disconnect),
            Figure(label="Will be denied", amount=exactly(len(decided.denied), "commands"), grave=bool(decided.denied)),
            Figure(label="Will be allowed", amount=exactly(len(decided.allowed), "commands")),
        ),
        facts=(
            *user_plans.words_facts(before, after),
            *user_plans.rule_facts(first.definition.rules, proposal.rules),
            Fact(label="Passwords", words=say(proposal.passwords.words(first.definition))),
            Fact(label="Its clients", words=say(ends)),
            *decisions.facts(decided),
            *user_plans.node_facts(nodes),
            *user_plans.old_server_facts(nodes, proposal.rules),
        ),
        sample=decisions.table(decided),
        commands=user_plans.commands(
            proposal.words(first, nodes), name=params.name, nodes=nodes, tries=True, ends=params.disconnect
        ),
        undo=say(
            "The user is kept sealed as each node holds it; undo puts exactly that back, where nobody changed it since."
        ),
        warnings=user_plans.warnings_of(after),
        most_count=len(nodes.there),
        observed={**applying.marks(nodes), **decisions.observed(decided)},
        blocked=say("It is that already, on every node.") if _is_so(nodes, proposal, params) else (),
    )


def _is_so(nodes: Nodes, proposal: Proposal, params: Params) -> bool:
    """The same words and no new password: nothing would be another. Rules in other words are tried and compared by the run."""
    kept = params.passwords == KEEP and not params.disconnect
    return kept and all(_same(node, proposal.rules) for node in nodes.there)


def _same(node: Node, rules: Rules) -> bool:
    return node.definition is not None and node.definition.rules == rules

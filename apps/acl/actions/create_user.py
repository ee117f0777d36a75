"""Make a user on every node that has none of its name."""

from __future__ import annotations

from dataclasses import dataclass

from apps.acl import applying, decisions, grammar, lockout, user_plans
from apps.acl.changing import ChangesUser, with_hash
from apps.acl.decisions import Decisions
from apps.acl.nodes import Nodes, look
from apps.acl.passwords import NONE, NOPASS, REPLACE, Passwords
from apps.acl.proposing import Proposal, rehearsed
from apps.acl.rehearsal import PREFIX
from apps.engine.contracts.action import Planning, Progress, Refused
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Fact, Figure, Outcome, Plan, exactly, say
from apps.engine.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    name: bytes = param("Name", mono=True, most_bytes=grammar.MOST_NAME_BYTES)
    rules: str = param(
        "What it may",
        lines=True,
        mono=True,
        most_bytes=16_384,
        help="Read from left to right; what is not allowed here is not. Such as ~cart:* -@all +@read +set.",
    )
    passwords: str = param(
        "Its password",
        default=REPLACE,
        choices=(
            (REPLACE, "A new one"),
            (NONE, "None yet: nobody can sign in"),
            (NOPASS, "Ask for none: whoever reaches the port may be this user"),
        ),
    )
    password: str = param(
        "New password",
        default="",
        secret=True,
        most_bytes=512,
        help="Only its SHA-256 is sent, and kept sealed. Make it long and random: the server keeps it without salt.",
    )
    on: bool = param("Switched on", default=True)
    without_missing: bool = user_plans.without_missing()


class CreateUser(ChangesUser[Params]):
    key = "acl.create_user"
    title = "Make a user"
    verb = "New user"
    icon = "user-plus"
    params = Params

    def prepared(self, params: Params) -> Params:
        return with_hash(params)  # type: ignore[no-any-return]

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one user on every node, at most 60 commands. Cost: six round trips a node.

        Errors: Refused with the field that is wrong, NotPermitted. Source: ACL LIST, ACL CAT.
        """
        _check_name(params.name)
        proposal = _proposal(params)
        nodes = look(target, name=params.name, without_missing=params.without_missing, planning=planning)
        lockout.check_own(target, nodes, name=params.name)
        if len(nodes.holders) == len(nodes.there):
            raise Refused("There is such a user already: change it instead.", field="name")
        user_plans.check_versions(nodes, proposal.rules)
        decided = decisions.decide(target, nodes, proposal.rules, is_new=True, planning=planning)
        return _plan(target, params, nodes, proposal, decided)

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        _check_name(params.name)
        change = rehearsed(_proposal(params), plan=plan, progress=progress, only_new=True)
        said = say("Made the user ", params.name, ".")
        return self.carried_out(target, params, plan=plan, progress=progress, change=change, said=said)


ACTION = CreateUser()


def _check_name(name: bytes) -> None:
    grammar.check_name(name)
    if name.startswith(PREFIX):
        raise Refused("Names that begin so are the console's own, to try rules on.", field="name")


def _proposal(params: Params) -> Proposal:
    return Proposal(
        name=params.name,
        rules=grammar.parsed(params.rules),
        passwords=Passwords.of(params.passwords, params.password),
        is_on=params.on,
    )


def _plan(target: Target, params: Params, nodes: Nodes, proposal: Proposal, decided: Decisions) -> Plan:
    lacking = [node for node in nodes.there if node.definition is None]
    after = proposal.user(lacking[0], Nodes(there=(lacking[0],)))
    first = decided.nodes[0].after
    return Plan(
        effect=f"Make {user_plans.shown(params.name)}{user_plans.on_nodes(len(lacking), nodes)}",
        of=say("a user ", params.name, f" of {target.name}"),
        keep="Make none",
        figures=(
            user_plans.nodes_figure(nodes),
            Figure(
                label="Will be allowed",
                amount=exactly(first.count(decisions.ALLOWED), "commands"),
                note=say(f"of {len(first)} that are looked at"),
            ),
        ),
        facts=(
            *user_plans.words_facts(None, after),
            *user_plans.rule_facts(None, proposal.rules),
            Fact(label="Password", words=say(_password_words(proposal))),
            *decisions.facts(decided),
            *user_plans.node_facts(nodes),
            *user_plans.old_server_facts(nodes, proposal.rules),
        ),
        sample=decisions.table(decided),
        commands=user_plans.commands(
            proposal.words(lacking[0], Nodes(there=(lacking[0],))),
            name=params.name,
            nodes=nodes,
            tries=True,
            ends=False,
        ),
        undo=say("Undo deletes it on each node where it was made and nobody changed it since."),
        warnings=user_plans.warnings_of(after),
        most_count=len(nodes.there),
        observed={**applying.marks(nodes), **decisions.observed(decided)},
    )


def _password_words(proposal: Proposal) -> str:
    return {
        REPLACE: f"a new one, {proposal.passwords.new[1:7].decode('ascii', 'replace')}…",
        NONE: "none: nobody can sign in until it has one",
        NOPASS: "none is asked for",
    }[proposal.passwords.how]

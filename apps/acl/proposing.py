"""A user as it is to be: the words each node is told, and their rehearsal on each before the first is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.acl import decisions, grammar, user_plans
from apps.acl.applying import Change, Wanted
from apps.acl.definitions import Definition
from apps.acl.grammar import Rules
from apps.acl.nodes import Node, Nodes
from apps.acl.passwords import Passwords
from apps.acl.reads.rules import User
from apps.acl.rehearsal import rehearse
from apps.engine.connections.redis import RedisNode
from apps.engine.contracts.action import Progress
from apps.engine.contracts.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """`is_on` None keeps the state that a node holds it in."""

    name: bytes
    rules: Rules
    passwords: Passwords
    is_on: bool | None = None

    def held(self, node: Node, nodes: Nodes) -> Definition | None:
        """What a node holds, or what the first one holds where this one has no such user: its passwords go from there."""
        return node.definition or (nodes.holders[0].definition if nodes.holders else None)

    def words(self, node: Node, nodes: Nodes) -> list[bytes]:
        """The words of ACL SETUSER for one node."""
        held = self.held(node, nodes)
        return grammar.setting(
            self.rules, is_on=self._is_on(held), passwords=self.passwords.after(held), version=node.version
        )

    def user(self, node: Node, nodes: Nodes) -> User:
        """For words, hashes cut."""
        held = self.held(node, nodes)
        return user_plans.user_with(
            self.name,
            self.rules,
            is_on=self._is_on(held),
            passwords=self.passwords.after(held),
            version=node.version,
        )

    def definition(self, node: Node, nodes: Nodes, rules: Rules) -> Definition:
        """What the node will hold; `rules` as it writes them."""
        held = self.held(node, nodes)
        passwords = self.passwords.after(held)
        return Definition(
            name=self.name,
            is_on=self._is_on(held),
            needs_no_password=b"nopass" in passwords,
            hashes=tuple(each[1:] for each in passwords if each != b"nopass"),
            rules=rules,
        )

    def _is_on(self, held: Definition | None) -> bool:
        return self.is_on if self.is_on is not None else held is not None and held.is_on


def rehearsed(proposal: Proposal, *, plan: Plan, progress: Progress, only_new: bool = False) -> Change:
    """How each node is changed: tried on it first, then told. `only_new` leaves a node alone that has such a user."""
    argvs: Sequence[Sequence[bytes]] = decisions.argvs_of(plan.observed["calls"])

    def change(line: RedisNode, node: Node, nodes: Nodes) -> Wanted:
        if only_new and node.definition:
            return Wanted(command=None, why="it has such a user already, which is left alone")
        rules = rehearse(
            line,
            proposal.rules,
            version=node.version,
            argvs=argvs,
            planned=plan.observed.get(f"then {node.address}"),
            connect=lambda: progress.redis(node.address),
            log=lambda words: progress.log(words, warn=True),
        )
        wanted = proposal.definition(node, nodes, rules)
        if node.definition and node.mark == wanted.mark:
            return Wanted(command=None, why="it is that already")
        words = proposal.words(node, nodes)
        return Wanted(command=("ACL", "SETUSER", proposal.name, *words), mark=wanted.mark)

    return change

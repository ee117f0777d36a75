"""What a change of rules would allow and deny, command by command; and how far that can be relied on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from apps.acl import calls as choosing
from apps.acl import evaluation
from apps.acl.calls import calls_for
from apps.acl.definitions import Definition
from apps.acl.evaluation import Call
from apps.acl.grammar import Rules
from apps.acl.nodes import Nodes
from apps.engine.connections.redis import RedisNode, Reply, redis_node
from apps.engine.contracts.action import Planning, Refused
from apps.engine.contracts.plan import Cell, Fact, Table, say
from apps.engine.errors import EngineError
from apps.engine.target import Address, Target
from apps.engine.text import plain

DRYRUN_SINCE = (7, 0)
ALLOWED, DENIED, UNKNOWN = "1", "0", "?"
ROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OnNode:
    """One node's answers, one a call: "1" allowed, "0" denied, "?" not known. `before` is the server's own where it has a dry run.

    `computed` is the same as `before` by our own reckoning: where the two differ, `after` cannot be relied on.
    """

    address: Address
    before: str
    computed: str
    after: str
    has_dry_run: bool

    @property
    def wrong_count(self) -> int:
        return sum(UNKNOWN not in (a, b) and a != b for a, b in zip(self.before, self.computed, strict=True))

    @property
    def compared_count(self) -> int:
        return sum(UNKNOWN not in (a, b) for a, b in zip(self.before, self.computed, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """All nodes' answers to the same calls, the first node's first."""

    calls: tuple[Call, ...]
    nodes: tuple[OnNode, ...]

    @property
    def denied(self) -> list[Call]:
        return self._changed(ALLOWED, DENIED)

    @property
    def allowed(self) -> list[Call]:
        return self._changed(DENIED, ALLOWED)

    def _changed(self, before: str, after: str) -> list[Call]:
        """Calls that change so on any node."""
        return [
            call
            for index, call in enumerate(self.calls)
            if any((node.before[index], node.after[index]) == (before, after) for node in self.nodes)
        ]


def decide(target: Target, nodes: Nodes, after: Rules, *, is_new: bool, planning: Planning) -> Decisions:
    """The comparison on every node that answered. Changes nothing: the server is asked about the user as it is, by ACL DRYRUN.

    Shape: at most 60 calls. Cost: four round trips a node. Errors: Refused where a node has no such command or category.
    Source: ACL CAT, COMMAND INFO, ACL DRYRUN of the present user (7.0 and later).
    """
    calls: list[Call] = []
    decided = []
    for seen in nodes.there:
        with redis_node(target, address=seen.address) as node:
            before = seen.definition.rules if seen.definition else None
            commands = evaluation.commands_of(node, version=seen.version)
            check_words(node, after, commands, told=f"Redis {seen.told} at {seen.address}")
            calls = calls or calls_for(node, nodes, None if is_new else before, after, version=seen.version)
            computed = bits([evaluation.allows(before, call, commands) for call in calls]) if before else ""
            told = _told(node, seen.definition, calls) if seen.version >= DRYRUN_SINCE else None
        decided.append(
            OnNode(
                address=seen.address,
                before=told or computed or UNKNOWN * len(calls),
                computed=computed or UNKNOWN * len(calls),
                after=bits([evaluation.allows(after, call, commands) for call in calls]),
                has_dry_run=seen.version >= DRYRUN_SINCE,
            )
        )
        planning.check(len(decided), len(nodes.there), "nodes compared")
    return Decisions(calls=tuple(calls), nodes=tuple(decided))


def check_words(node: RedisNode, rules: Rules, commands: evaluation.Commands, *, told: str) -> None:
    """Errors: Refused for the first word that names no command or category of the node, nor a command of a module."""
    named = {word[1:].partition(b"|")[0] for words in rules.scopes for word in words if word[:1] in (b"+", b"-")}
    unlisted = {name for name in named if not name.startswith(b"@") and name not in commands.names}
    known = choosing.modules_commands(node, sorted(unlisted)) if unlisted else frozenset()
    if word := commands.problem(rules, known):
        raise Refused(f"{told} knows nothing that {plain(word, most=60)} could mean.", field="rules")


def bits(answers: Sequence[bool]) -> str:
    return "".join(ALLOWED if answer else DENIED for answer in answers)


def _told(node: RedisNode, definition: Definition | None, calls: Sequence[Call]) -> str | None:
    """What the server says of the user as it is. None without the user, or without the right to ask."""
    if definition is None:
        return None
    return dry_run(node, definition.name, [call.argv for call in calls])


def dry_run(node: RedisNode, name: bytes, argvs: Sequence[Sequence[bytes]]) -> str | None:
    """ACL DRYRUN of each. None where it may not be asked. Cost: one round trip; nothing is run, nothing is logged."""
    replies = node.pipeline([("ACL", "DRYRUN", name, *argv) for argv in argvs])
    if replies and all(isinstance(reply, EngineError) for reply in replies):
        return None
    return "".join(map(_answer, replies))


def _answer(reply: Reply | EngineError) -> str:
    if isinstance(reply, EngineError):
        return UNKNOWN
    return ALLOWED if reply == b"OK" else DENIED


# -- between plan and run ----------------------------------------------------------------------------------------------


def observed(decisions: Decisions) -> dict[str, str]:
    """What the run compares with the server: the calls, and what each node was worked out to answer then."""
    argvs = msgspec.json.encode([call.argv for call in decisions.calls]).decode()
    return {"calls": argvs, **{f"then {node.address}": node.after for node in decisions.nodes if node.has_dry_run}}


def argvs_of(told: str) -> list[list[bytes]]:
    return msgspec.json.decode(told, type=list[list[bytes]])


def first_difference(planned: str, told: str) -> int | None:
    """The first call that the server answers otherwise than the plan."""
    pairs = enumerate(zip(planned, told, strict=True))
    return next((index for index, (ours, theirs) in pairs if UNKNOWN not in (ours, theirs) and ours != theirs), None)


# -- in words ----------------------------------------------------------------------------------------------------------

_WORDS = {ALLOWED: "allowed", DENIED: "denied", UNKNOWN: "–"}


def table(decisions: Decisions) -> Table:
    """What changes first, then what was seen; answers of the first node."""
    first = decisions.nodes[0]
    order = sorted(range(len(decisions.calls)), key=lambda index: _rank(decisions, index))
    rows = tuple(_row(decisions.calls[index], first.before[index], first.after[index]) for index in order[:ROWS])
    said = f"{min(ROWS, len(order))} of {len(order)} commands, what changes first"
    return Table(columns=("Command", "Seen", "Now", "Then"), rows=rows, said=said)


def _rank(decisions: Decisions, index: int) -> tuple[int, int]:
    first = decisions.nodes[0]
    changes = first.before[index] != first.after[index] and first.before[index] != UNKNOWN
    return (0 if changes and first.after[index] == DENIED else 1 if changes else 2, index)


def _row(call: Call, before: str, after: str) -> tuple[Cell, ...]:
    change = {(ALLOWED, DENIED): "will be denied", (DENIED, ALLOWED): "will be allowed"}.get((before, after), "as now")
    then = _WORDS[after] if before == UNKNOWN else change
    return Cell(name=call.shown), Cell(text=call.seen), Cell(text=_WORDS[before]), Cell(text=then)


def facts(decisions: Decisions) -> tuple[Fact, ...]:
    """How it was worked out, and where nodes differ."""
    wrong = sum(node.wrong_count for node in decisions.nodes)
    compared = sum(node.compared_count for node in decisions.nodes if node.has_dry_run)
    dry = [node for node in decisions.nodes if node.has_dry_run]
    words = "Worked out from ACL CAT of each node, for a plan writes nothing."
    if compared:
        words += f" Of the rules as they are it agrees with ACL DRYRUN in {compared - wrong} of {compared} answers."
    if len(dry) == len(decisions.nodes):
        words += (
            " The run tries the new rules by ACL DRYRUN on a user that is off first, and stops if one answer differs."
        )
    else:
        words += " A server before 7.0 has no ACL DRYRUN: there only the words of the rules are tried first."
    found = [Fact(label="How it is known", words=say(words), signal="warn" if wrong else "")]
    others = [node for node in decisions.nodes[1:] if node.after != decisions.nodes[0].after]
    if others:
        named = ", ".join(str(node.address) for node in others)
        found.append(Fact(label="Not on every node", words=say(f"{named} would answer otherwise than the first node.")))
    return tuple(found)

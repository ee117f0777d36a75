"""A change of one user, carried from node to node: all are asked first, each is kept before it is touched, and each has its result."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TypeAlias

import msgspec

from apps.acl import definitions, lockout
from apps.acl.definitions import Definition
from apps.acl.nodes import Node, Nodes, denials_of, denied_count, read
from apps.engine.connections.redis import RedisNode
from apps.engine.contracts.action import Cancelled, Fenced, Moved, Progress, Stopped
from apps.engine.contracts.archive import Record
from apps.engine.contracts.plan import Cell, Ending, Fact, Figure, Outcome, Sentence, Table, exactly, say
from apps.engine.errors import CommandFailed, EngineError, Unreachable
from apps.engine.target import Address, Target

KIND = "user"
_HASH = re.compile(r"[#!][0-9a-fA-F]{16,}")


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A user as it was on one node; an empty line where there was none. `after` marks what the run left there, "" for no user."""

    line: bytes
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one node is to be told. `command` is None where nothing is needed, and `why` says so. `mark` is of what is left."""

    command: Sequence[bytes | str] | None
    mark: str = ""
    why: str = ""


@dataclass(slots=True, kw_only=True)
class Result:
    """What came of one node."""

    address: Address
    state: str
    words: str = ""
    saved: str = "–"
    ended_count: int | None = None
    denied_count: int | None = None


CHANGED, SAME, FAILED, UNKNOWN, MISSING = "changed", "nothing to do", "failed", "not known", "not reached"
GOOD = (CHANGED, SAME)
Change: TypeAlias = Callable[[RedisNode, Node, Nodes], Wanted]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run: the user, what each node was when it was planned, what to do with each, and what is meant."""

    name: bytes
    marks: Mapping[str, str]
    change: Change
    without_missing: bool = False
    default_too: bool = True
    replication_too: bool = True
    disconnect: bool = False
    keeps: bool = True


def marks(nodes: Nodes) -> dict[str, str]:
    """What a plan writes down of every node that answered."""
    return {f"user at {node.address}": node.mark for node in nodes.there}


def carry_out(target: Target, job: Job, progress: Progress) -> list[Result] | tuple[list[Result], Stopped]:
    """Every node in turn. Cost: some ten commands a node.

    Errors before the first change: Refused, Moved, Unreachable, NotPermitted. After it a node that fails is a result, and the
    others go on: the more nodes agree, the better. What stopped the run comes with the results.
    """
    with ExitStack() as stack:
        lines, missing = _connected(stack, target, job, progress)
        nodes = Nodes(there=tuple(read(node, job.name) for node in lines.values()), missing=missing)
        _check(target, job, nodes)
        wanted = [(node, job.change(lines[node.address], node, nodes)) for node in nodes.there]
        results = [Result(address=address, state=MISSING, words=error.message) for address, error in missing]
        for number, (node, each) in enumerate(wanted, start=1):
            try:
                results.append(_one(lines[node.address], node, each, job, progress))
                progress.step(number, total_count=len(wanted), note=f"{node.address}: {results[-1].state}")
            except Stopped as stopped:
                if isinstance(stopped, Fenced) or not any(result.state == CHANGED for result in results):
                    raise
                return _in_order(target, results), stopped
    return _in_order(target, results)


def _connected(
    stack: ExitStack, target: Target, job: Job, progress: Progress
) -> tuple[dict[Address, RedisNode], tuple[tuple[Address, EngineError], ...]]:
    """Every node stays connected until the end: what was opened before a change can still mend it."""
    lines: dict[Address, RedisNode] = {}
    missing: list[tuple[Address, EngineError]] = []
    for address in target.addresses:
        try:
            lines[address] = stack.enter_context(progress.redis(address))
        except Unreachable as error:
            if not job.without_missing:
                raise
            missing.append((address, error))
    if not lines:
        raise missing[0][1]
    return lines, tuple(missing)


def _check(target: Target, job: Job, nodes: Nodes) -> None:
    """Once more, on the connections that will change it. Errors: Refused, Moved."""
    lockout.check_own(target, nodes, name=job.name)
    lockout.check_default(nodes, name=job.name, meant=job.default_too)
    lockout.check_trusted(nodes, name=job.name, meant=job.replication_too)
    for node in nodes.there:
        planned = job.marks.get(f"user at {node.address}")
        if planned is not None and planned != node.mark:
            raise Moved(
                f"The user was changed on {node.address} since it was planned. Nothing was done.",
                way_out="Plan it again.",
            )


def _one(line: RedisNode, node: Node, wanted: Wanted, job: Job, progress: Progress) -> Result:
    if wanted.command is None:
        progress.check()
        return Result(address=node.address, state=SAME, words=wanted.why)
    page = progress.archive.append([_record(node, wanted, job.name)]) if job.keeps else None
    try:
        progress.check()
    except Stopped:
        if page is not None:
            progress.archive.settle(page, ())
        raise
    result = _told(line, node, wanted, job.name)
    if page is not None and result.state != UNKNOWN:
        progress.archive.settle(page, None if result.state == CHANGED else ())
    if result.state != CHANGED:
        return result
    return _afterwards(line, node, result, job)


def _record(node: Node, wanted: Wanted, name: bytes) -> Record:
    what = Kept(line=node.definition.line if node.definition else b"", after=wanted.mark)
    return Record(name=name, content=msgspec.msgpack.encode(what), place=str(node.address), kind=KIND)


def kept(record: Record) -> Kept:
    return msgspec.msgpack.decode(record.content, type=Kept)


def _told(line: RedisNode, node: Node, wanted: Wanted, name: bytes) -> Result:
    """Send it, and look whether it is so. SETUSER and DELUSER are whole or not at all."""
    assert wanted.command is not None
    try:
        line.command(*wanted.command)
        now = definitions.read(line, name)
    except Unreachable as error:
        return Result(address=node.address, state=UNKNOWN, words=f"{error.message} It may have been done.")
    except EngineError as error:
        return Result(address=node.address, state=FAILED, words=_without_hashes(error.message))
    if (now.mark if now else "") != wanted.mark:
        return Result(address=node.address, state=CHANGED, words="The node shows it otherwise than was worked out.")
    return Result(address=node.address, state=CHANGED)


def _without_hashes(message: str) -> str:
    """A server repeats the word that it does not take."""
    return _HASH.sub("#…", message)


def _afterwards(line: RedisNode, node: Node, result: Result, job: Job) -> Result:
    """Save it, end the user's connections where that is wanted, look at what was denied since. Nothing of it undoes the change."""
    try:
        result.saved = _saved(line, node)
        if job.disconnect:
            reply = line.command("CLIENT", "KILL", "USER", job.name)
            result.ended_count = reply if isinstance(reply, int) else None
        denied = denials_of(line, job.name)
        result.denied_count = None if denied is None else max(0, denied - denied_count(node.denials))
    except EngineError as error:
        result.words = f"Changed; but then: {_without_hashes(error.message)}"
        result.state = FAILED
    return result


def _saved(line: RedisNode, node: Node) -> str:
    """By ACL SAVE where the node has a file for it. CONFIG REWRITE is not sent: it would write everything else besides."""
    if node.saves is False:
        return "until it restarts"
    try:
        line.command("ACL", "SAVE")
    except CommandFailed as error:
        if node.saves is None or "not configured to use an ACL file" in error.message:
            return "until it restarts"
        raise
    return "saved"


def _in_order(target: Target, results: Sequence[Result]) -> list[Result]:
    by_address = {result.address: result for result in results}
    return [
        by_address.get(address, Result(address=address, state=MISSING, words="not begun"))
        for address in target.addresses
    ]


# -- the outcome -------------------------------------------------------------------------------------------------------


def outcome(
    done: list[Result] | tuple[list[Result], Stopped], said: Sentence, *, name: bytes, disconnect: bool
) -> Outcome:
    """Node by node. PARTIAL while not every node is as it should be: planning again does the rest."""
    results, stopped = done if isinstance(done, tuple) else (done, None)
    good = sum(result.state in GOOD for result in results)
    changed = sum(result.state == CHANGED for result in results)
    bad = len(results) - good
    if stopped is not None:
        said = say(
            f"{stopped.message} {good} of {len(results)} nodes are as they should be. Plan it again for the rest."
        )
    elif bad:
        said = say(f"{good} of {len(results)} nodes are as they should be. Plan it again for the rest.")
    return Outcome(
        ending=_ending(results, stopped, good=good),
        said=said,
        figures=(
            Figure(label="Changed", amount=exactly(changed, "nodes"), note=say(f"of {len(results)}")),
            Figure(label="Were so already", amount=exactly(good - changed, "nodes")),
            Figure(label="Failed or not reached", amount=exactly(bad, "nodes"), grave=bool(bad)),
        ),
        facts=_facts(results, name=name),
        table=_table(results, disconnect=disconnect),
    )


def _ending(results: Sequence[Result], stopped: Stopped | None, *, good: int) -> Ending:
    if isinstance(stopped, Cancelled):
        return Ending.CANCELLED
    if good == len(results):
        return Ending.DONE
    if any(result.state == UNKNOWN for result in results) and not good:
        return Ending.UNKNOWN
    return Ending.PARTIAL if good or any(result.words.startswith("Changed") for result in results) else Ending.FAILED


def _facts(results: Sequence[Result], *, name: bytes) -> tuple[Fact, ...]:
    facts = []
    unsaved = [str(result.address) for result in results if result.saved == "until it restarts"]
    if unsaved:
        words = f"{', '.join(unsaved)} keeps users in no file of its own: the change lives there until it restarts."
        facts.append(Fact(label="Not saved", words=say(words), signal="warn"))
    told = [result.denied_count for result in results if result.denied_count is not None]
    if told:
        words = f" was denied {sum(told)} times since. Watch Denied lately on the page of users for five minutes."
        facts.append(Fact(label="Denials", words=say(name, words), signal="warn" if sum(told) else ""))
    return tuple(facts)


def _table(results: Sequence[Result], *, disconnect: bool) -> Table:
    columns = ("Node", "Result", "Saved", *(("Clients ended",) if disconnect else ()), "")
    rows = tuple(
        (
            Cell(text=str(result.address)),
            Cell(text=result.state),
            Cell(text=result.saved),
            *((_ended(result),) if disconnect else ()),
            Cell(text=result.words),
        )
        for result in results
    )
    return Table(columns=columns, rows=rows, said="every registered node")


def _ended(result: Result) -> Cell:
    return Cell(text="–") if result.ended_count is None else Cell(amount=exactly(result.ended_count))


def as_it_was(definition: Definition, *, is_on: bool) -> str:
    """The mark of a user that is only switched."""
    return replace(definition, is_on=is_on).mark

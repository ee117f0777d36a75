"""The undo of trimming: the entries go into a stream beside the trimmed one, with their ids, and overwrite nothing there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from apps.engine.connections.redis import Command, RedisNode, redis_node
from apps.engine.contracts.action import Planning, Progress, Refused, Undo
from apps.engine.contracts.archive import Originals, Record
from apps.engine.contracts.plan import Cell, Ending, Fact, Figure, Outcome, Plan, Table, exactly, say
from apps.engine.errors import EngineError
from apps.engine.glob import compiled
from apps.engine.replication import primary
from apps.engine.target import Target
from apps.engine.text import plain
from apps.queues import stream_entries
from apps.queues.stream_entries import Kept
from apps.queues.stream_groups import order

PAGE = 100
PAGE_BYTES = 2 * 1024 * 1024
SAMPLE = 5


@dataclass(slots=True)
class Counted:
    put_back: int = 0
    there: int = 0
    failed: int = 0
    size_bytes: int = 0


class IntoAnotherStream(Undo[Any]):
    """A stream takes no entry older than its newest, so what was trimmed cannot go back to its place."""

    def plan(self, target: Target, params: Any, *, originals: Originals, only: bytes, planning: Planning) -> Plan:
        """Cost: the archive is read once; two commands. Errors: Refused where nothing fits the pattern."""
        counted, name = Counted(), b""
        sample: list[bytes] = []
        with redis_node(replace(target, database=str(params.db))) as node:
            primary(node)
            for page in _pages(originals, only):
                if not name:
                    name = stream_entries.beside(params.stream, run=page[0][1].run)
                    newest = _newest(node, name)
                _count(counted, page, newest=newest)
                sample += [record.name for record, _ in page[: SAMPLE - len(sample)]]
                planning.check(counted.put_back + counted.there, originals.count, "read from the archive")
        return _plan(counted, sample, params.stream, name)

    def run(
        self, target: Target, params: Any, *, originals: Originals, only: bytes, plan: Plan, progress: Progress
    ) -> Outcome:
        counted, name = Counted(), b""
        with progress.redis() as node:
            node.command("SELECT", params.db)
            primary(node)
            for page in _pages(originals, only):
                name = name or stream_entries.beside(params.stream, run=page[0][1].run)
                newest = _newest(node, name)
                progress.check()
                _add(node, name, page, newest=newest, counted=counted, progress=progress)
                progress.step(counted.put_back, total_count=plan.most_count)
                progress.pacer.rest()
        return _outcome(counted, name)


def _pages(originals: Originals, only: bytes) -> Iterator[list[tuple[Record, Kept]]]:
    """At most 100 entries and about 2 MB. Errors: Refused where there is none."""
    wanted = compiled(only) if only else None
    chosen = (record for record in originals.records() if wanted is None or wanted.matches(record.name))
    page: list[tuple[Record, Kept]] = []
    size, empty = 0, True
    for record in chosen:
        page.append((record, stream_entries.kept(record)))
        size, empty = size + len(record.content), False
        if len(page) >= PAGE or size >= PAGE_BYTES:
            yield page
            page, size = [], 0
    if page:
        yield page
    if empty:
        raise Refused("No entry that this run kept has such an id.", field="only")


def _newest(node: RedisNode, name: bytes) -> bytes:
    """The newest id that the stream beside has had; 0-0 where there is none yet. Errors: Refused for a key of another type."""
    kind = node.command("TYPE", name)
    if kind == b"none":
        return b"0-0"
    if kind != b"stream":
        raise Refused(f"The key {plain(name, most=80)} exists and is no stream.", way_out="Rename it, then plan again.")
    flat = node.command("XINFO", "STREAM", name)
    newest: bytes = flat[flat.index(b"last-generated-id") + 1]
    return newest


def _missing(page: list[tuple[Record, Kept]], newest: bytes) -> list[tuple[Record, Kept]]:
    """Those that an earlier undo has not put there."""
    return [each for each in page if order(each[0].name) > order(newest)]


def _count(counted: Counted, page: list[tuple[Record, Kept]], *, newest: bytes) -> None:
    missing = _missing(page, newest)
    counted.put_back += len(missing)
    counted.there += len(page) - len(missing)
    counted.size_bytes += sum(len(record.content) for record, _ in missing)


def _add(
    node: RedisNode,
    name: bytes,
    page: list[tuple[Record, Kept]],
    *,
    newest: bytes,
    counted: Counted,
    progress: Progress,
) -> None:
    missing = _missing(page, newest)
    counted.there += len(page) - len(missing)
    commands: list[Command] = [("XADD", name, record.name, *what.fields) for record, what in missing]
    for reply in progress.pacer.page(node, commands) if commands else []:
        if isinstance(reply, EngineError):
            if not counted.put_back:
                raise reply
            counted.failed += 1
        else:
            counted.put_back += 1


def _plan(counted: Counted, sample: list[bytes], stream: bytes, name: bytes) -> Plan:
    entries = "entry" if counted.put_back == 1 else "entries"
    return Plan(
        effect=f"Put {counted.put_back:,} {entries} beside",
        of=say("into ", name, ", from what was kept of ", stream),
        keep="Leave it as it is",
        figures=(
            Figure(label="Put beside", amount=exactly(counted.put_back, "entries"), note=say("with their ids")),
            Figure(label="There already", amount=exactly(counted.there, "entries"), note=say("by an undo before")),
            Figure(label="Size", amount=exactly(counted.size_bytes, "B"), note=say("as kept")),
        ),
        facts=(
            Fact(label="Not into the stream itself", words=say("a stream takes no entry older than its newest")),
            Fact(label="Groups", words=say("see nothing of it: whoever needs it reads ", name, " with XRANGE")),
        ),
        sample=Table(columns=("Entry",), rows=tuple((Cell(name=each),) for each in sample), said="the first kept"),
        commands=(f"XADD {plain(name, most=80)} <id> <fields as kept>",),
        most_count=counted.put_back + counted.there,
        blocked=() if counted.put_back else say("Everything is there already."),
    )


def _outcome(counted: Counted, name: bytes) -> Outcome:
    return Outcome(
        ending=Ending.PARTIAL if counted.failed else Ending.DONE,
        said=say(f"Put {counted.put_back:,} entries into ", name, "."),
        figures=(
            Figure(label="Put beside", amount=exactly(counted.put_back, "entries")),
            Figure(label="There already", amount=exactly(counted.there, "entries")),
            Figure(label="Failed", amount=exactly(counted.failed, "entries")),
        ),
    )

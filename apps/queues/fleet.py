"""Every backlog of some servers at once: each server read by a thread of its own, each with an end, none spoiling another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from apps.engine.connections.postgres import postgres_node
from apps.engine.connections.redis import RedisNode, redis_node
from apps.engine.contracts.adapter import AnyAdapter, Failures, Job, Marks, Page, Queue
from apps.engine.errors import EngineError, Gone, NotPermitted, TimedOut
from apps.engine.target import Kind, Target
from apps.queues import reads
from apps.queues.asking import Asking, Line, in_step
from apps.queues.catalogue import adapter_for, catalogue
from apps.queues.census import CENSUS
from apps.queues.stepping import SteppingAdapter
from apps.queues.verdicts import Judged, judged
from apps.queues.watermarks import WATERMARKS

Value = TypeVar("Value")

SERVER_S = 6.0
MOST_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A part of a server that could not be read: everything else still was."""

    what: str
    error: EngineError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One server's queues, worst first. `looked_count` of `keys_count` names were looked at for kombu and streams so far."""

    target_id: str
    queues: tuple[Judged, ...] = ()
    problems: tuple[Problem, ...] = ()
    error: EngineError | None = None
    keys_count: int = 0
    looked_count: int = 0
    sent_count: int = 0
    took_s: float = 0.0

    @property
    def complete(self) -> bool:
        return self.looked_count >= self.keys_count


class _Gathering:
    """What one server's thread collects, and until when it may."""

    def __init__(self, target: Target, within_s: float) -> None:
        self.target = target
        self.begun = time.monotonic()
        self.within_s = within_s
        self.queues: list[Judged] = []
        self.problems: list[Problem] = []
        self.keys_count = self.looked_count = self.sent_count = 0

    @property
    def until_s(self) -> float:
        return self.begun + self.within_s

    @property
    def over(self) -> bool:
        return time.monotonic() > self.until_s

    def reading(self, error: EngineError | None = None) -> Reading:
        return Reading(
            target_id=self.target.id,
            queues=tuple(sorted(self.queues, key=lambda each: each.order)),
            problems=tuple(self.problems),
            error=error,
            keys_count=self.keys_count,
            looked_count=self.looked_count,
            sent_count=self.sent_count,
            took_s=time.monotonic() - self.begun,
        )


def read_fleet(targets: Sequence[Target]) -> list[Reading]:
    """Shape: one reading a target, in order; a server that fails or hangs has its error in place of its queues.

    Cost: that of `read_server` each, 8 servers at once, about 7 s in all at most. Errors: none; they are in the readings.
    """
    if len(targets) <= 1:  # nothing to do at the same time: no thread
        return [read_server(target) for target in targets]
    pool = ThreadPoolExecutor(max_workers=min(MOST_AT_ONCE, len(targets)), thread_name_prefix="queues")
    futures = [pool.submit(read_server, target) for target in targets]
    wait(futures, timeout=SERVER_S + 1)
    pool.shutdown(wait=False, cancel_futures=True)
    return [_result(target, future) for target, future in zip(targets, futures, strict=True)]


def _result(target: Target, future: Future[Reading]) -> Reading:
    if future.done() and not future.cancelled():
        return future.result()
    return Reading(target_id=target.id, error=TimedOut(f"{target.name} was not read within {SERVER_S:g} s."))


def read_server(target: Target, *, within_s: float = SERVER_S) -> Reading:
    """Shape: all queues of one server, worst first. Units: see Snapshot.

    Cost: a Redis: INFO, and for each database the looks of `census` and the adapters, see each; a PostgreSQL: the catalogue
    and one capped count a table, of the registered database. Asks nothing more after `within_s`. Errors: none; they are in the
    reading.
    """
    gathering = _Gathering(target, within_s)
    try:
        if target.kind is Kind.REDIS:
            _read_redis(gathering)
        else:
            _read_postgres(gathering)
    except EngineError as error:
        return gathering.reading(error)
    return gathering.reading()


def _read_redis(gathering: _Gathering) -> None:
    for database, keys_count in _databases(gathering):
        if gathering.over:
            gathering.problems.append(
                Problem(what=f"database {database}", error=TimedOut(f"Not read within {gathering.within_s:g} s."))
            )
            continue
        there = reads.in_database(gathering.target, database)
        with redis_node(there) as node:
            marks = _marks(gathering, node, there, keys_count)
            _read_database(gathering, node, database, marks)
            gathering.sent_count += node.sent


def _databases(gathering: _Gathering) -> list[tuple[str, int]]:
    """The databases with keys. Without the right to ask, the registered one."""
    with redis_node(gathering.target) as node:
        try:
            return reads.databases(node)
        except NotPermitted as error:
            gathering.problems.append(Problem(what="which databases hold keys", error=error))
            return [(gathering.target.database or "0", int(node.command("DBSIZE")))]
        finally:
            gathering.sent_count += node.sent


def _marks(gathering: _Gathering, node: RedisNode, target: Target, keys_count: int) -> Marks:
    gathering.keys_count += keys_count
    try:
        marks = CENSUS.marks(node, target, keys_count=keys_count)
    except NotPermitted as error:
        gathering.problems.append(Problem(what="names of streams and of Celery's queues", error=error))
        return Marks(complete=False)
    gathering.looked_count += marks.looked_count
    return marks


def _read_postgres(gathering: _Gathering) -> None:
    with postgres_node(gathering.target) as node:
        _read_database(gathering, node, gathering.target.database, Marks())
        gathering.sent_count += node.sent


def _read_database(gathering: _Gathering, node: Any, database: str, marks: Marks) -> None:
    """Frameworks whose questions are lines share their round trips; a refusal costs the framework that met it, and no other."""
    mine = [adapter for adapter in catalogue().values() if adapter.kind == gathering.target.kind]
    for adapter in mine:
        if not isinstance(adapter, SteppingAdapter):
            _read_alone(gathering, adapter, node, database, marks)
    stepping = [adapter for adapter in mine if isinstance(adapter, SteppingAdapter)]
    if stepping:
        now = reads.now_at(node)
        lines = [Line(_reading(gathering, each, database, marks, now)) for each in stepping]
        in_step(node, *lines, until_s=gathering.until_s)


def _read_alone(gathering: _Gathering, adapter: AnyAdapter, node: Any, database: str, marks: Marks) -> None:
    try:
        for found in adapter.detect(node, database=database, marks=marks):
            queues = adapter.queues(node, found)
            gathering.queues += [_judged(gathering.target, each) for each in adapter.snapshots(node, queues)]
    except EngineError as error:
        _raise_if_lost(error)
        gathering.problems.append(_problem(adapter, database, error))


def _reading(gathering: _Gathering, adapter: SteppingAdapter, database: str, marks: Marks, now: float) -> Asking[None]:
    """The same as a line. A lost connection is met by who sends it, outside of every line."""
    try:
        for found in (yield from adapter.finding(database=database, marks=marks)):
            queues = yield from adapter.naming(found)
            snapshots = yield from adapter.counting(queues, now=now)
            gathering.queues += [_judged(gathering.target, each) for each in snapshots]
    except EngineError as error:
        gathering.problems.append(_problem(adapter, database, error))


def _problem(adapter: AnyAdapter, database: str, error: EngineError) -> Problem:
    return Problem(what=f"{adapter.title} in database {database or 'default'}", error=error)


def _raise_if_lost(error: EngineError) -> None:
    """A refused question costs its framework only; a lost connection costs the server."""
    if error.kind in ("unreachable", "timeout", "name"):
        raise error


def _judged(target: Target, snapshot: Any) -> Judged:
    key = (target.id, snapshot.queue.adapter, snapshot.queue.ref)
    return judged(snapshot, unmoved_s=WATERMARKS.unmoved_s(key, snapshot.mark))


@contextmanager
def _node_of(target: Target, queue: Queue) -> Iterator[tuple[AnyAdapter, Any]]:
    adapter = adapter_for(queue.adapter, kind=target.kind)
    if target.kind is Kind.REDIS:
        with redis_node(reads.in_database(target, queue.database)) as node:
            yield adapter, node
    else:
        with postgres_node(target) as session:
            yield adapter, session


def read_queue(target: Target, queue: Queue) -> Judged:
    """Shape: one queue now. Cost and source: `snapshots` of its adapter. Errors: EngineError, Gone where there is no such queue."""
    with _node_of(target, queue) as (adapter, node):
        found = adapter.snapshots(node, [queue])
    if not found:
        raise Gone("There is no such queue any more.")
    return _judged(target, found[0])


def read_page(target: Target, queue: Queue, *, state: str, start: str) -> Page:
    """Cost, errors and source: `page` of the queue's adapter."""
    return _asked(target, queue, lambda adapter, node: adapter.page(node, queue, state=state, start=start))


def read_job(target: Target, queue: Queue, *, state: str, job: bytes, start: str) -> Job:
    """Cost, errors and source: `job` of the queue's adapter."""
    return _asked(target, queue, lambda adapter, node: adapter.job(node, queue, state=state, id=job, start=start))


def read_failures(target: Target, queue: Queue) -> Failures | None:
    """Cost, errors and source: `failures` of the queue's adapter."""
    return _asked(target, queue, lambda adapter, node: adapter.failures(node, queue))


def _asked(target: Target, queue: Queue, question: Callable[[AnyAdapter, Any], Value]) -> Value:
    with _node_of(target, queue) as (adapter, node):
        return question(adapter, node)

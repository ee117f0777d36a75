"""RQ 1.x and 2.x, read from its keys. RQ's own registries clean up and run callbacks when they are counted: never used here.

`rq:queues` names the queues; `rq:queue:<q>` lists job ids, the oldest first; `rq:job:<id>` is a hash. The job itself is a
pickle in the field `data` and stays closed: RQ writes the call in words into `description`, and that is what is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from apps.engine.connections.redis import Command, RedisNode
from apps.engine.contracts import adapter as contract
from apps.engine.contracts.adapter import Age, Count, Found, Job, Known, Marks, Page, Queue, Snapshot
from apps.engine.errors import EngineError, Gone, Unsupported
from apps.engine.units import duration_text
from apps.queues import payloads, reads, rq_jobs
from apps.queues.asking import Asking, asked, beside, unrefused
from apps.queues.rq_jobs import FAILED, JOB, QUEUE, QUEUES, WORKER, WORKERS
from apps.queues.stepping import SteppingAdapter

REGISTRIES = {
    "running": (b"rq:wip:", "Running", "Started"),
    "scheduled": (b"rq:scheduled:", "Scheduled", "Due"),
    "failed": (FAILED, "Failed", "Failed"),
    "deferred": (b"rq:deferred:", "Deferred", "Created"),
    "finished": (b"rq:finished:", "Finished", "Finished"),
    "canceled": (b"rq:canceled:", "Canceled", "Canceled"),
}
NEWEST_FIRST = frozenset({"failed", "finished", "canceled"})
WORKER_FIELDS = ("last_heartbeat", "state", "current_job", "hostname", "pid", "version", "successful_job_count")
LATE_S = 60.0
HEARTBEAT_LIMIT_S = 480.0  # RQ's default worker_ttl is 420 s, and an idle worker is heard once in that time


class RqAdapter(SteppingAdapter):
    key = "rq"
    kind = "redis"
    title = "RQ"
    oldest_end = "left"

    def finding(self, *, database: str, marks: Marks) -> Asking[tuple[Found, ...]]:
        """Cost: one SSCAN of each set for 500 members, and one HGET. Source: `rq:queues`, `rq:workers`, a worker's `version`."""
        named, working = yield from reads.some_members([QUEUES, WORKERS], others_are_empty=True)
        queues = [name for name in named if name.startswith(QUEUE)]
        heard = sorted(name for name in working if name.startswith(WORKER))
        if not queues and not heard:
            return ()
        (version,) = unrefused((yield [("HGET", heard[0], "version")])) if heard else (None,)
        label = f"RQ {'.'.join(version.decode('ascii', 'replace').split('.')[:2])[:12]}" if version else "RQ"
        evidence = f"the set rq:queues names {len(queues)} queues" if queues else "the set rq:workers names RQ workers"
        names = tuple(name.removeprefix(QUEUE) for name in reads.in_order(queues) if name != QUEUE)
        return (Found(adapter=self.key, framework=label, database=database, evidence=evidence, names=names),)

    def naming(self, found: Found) -> Asking[tuple[Queue, ...]]:
        """Cost: none. Source: `rq:queues`, read by `finding`."""
        yield from ()
        return tuple(
            Queue(adapter=self.key, framework=found.framework, database=found.database, name=name)
            for name in found.names
        )

    def counting(self, queues: Sequence[Queue], *, now: float) -> Asking[list[Snapshot]]:
        """Shape: one a queue. Units: counts, ages in seconds.

        Cost: two round trips for all queues together; ten commands a queue and one HMGET a worker. Errors: a refused
        command costs its own figure. Source: LLEN, ZCARD, ZCOUNT, LINDEX of RQ's keys, HMGET of the oldest job and of workers.
        """
        paused, counted, workers = yield from beside(_paused(), _counted(queues, now), _workers(queues, now))
        return [
            _snapshot(queue, figures, age, seen, paused=paused, now=now)
            for queue, (figures, age), seen in zip(queues, counted, workers, strict=True)
        ]

    def page(self, node: RedisNode, queue: Queue, *, state: str, start: str) -> Page:
        """Cost: four round trips; 50 ids, then the small fields of 50 hashes. Source: LRANGE or ZRANGE WITHSCORES, HSTRLEN, HMGET."""
        begin = reads.position(start)
        members = _members(node, queue, state, begin)
        more = str(begin + contract.PAGE) if len(members) > contract.PAGE else None
        ids = [_job_id(member, state) for member, _ in members[: contract.PAGE]]
        fields = reads.hash_fields(node, [JOB + one for one in ids], rq_jobs.ROW_FIELDS)
        errors = rq_jobs.errors(node, ids) if state == "failed" else {}
        rows = tuple(
            rq_jobs.row(one, some, score, state, errors.get(one))
            for one, some, (_, score) in zip(ids, fields, members, strict=False)
        )
        title = "Waiting since" if state == "ready" else REGISTRIES[state][2]
        return Page(rows=rows, at_title=title, next=more)

    def job(self, node: RedisNode, queue: Queue, *, state: str, id: bytes, start: str) -> Job:  # noqa: A002
        """Cost: three round trips, at most 256 KiB of `data` and 1 MiB of results. Errors: Gone. Source: HSTRLEN, HMGET, XREVRANGE."""
        key = JOB + id
        size = int(node.command("HSTRLEN", key, "data"))
        fields = reads.hash_fields(node, [key], rq_jobs.JOB_FIELDS, most_bytes=rq_jobs.DATA_BYTES)[0]
        if not any(fields.values()) or fields.get(b"origin") not in (queue.name, None):
            raise Gone("The job is gone: it was finished, deleted or expired meanwhile.")
        results = rq_jobs.results(node, [id]).get(id, ())
        traceback, cut = rq_jobs.traceback(results, fields)
        call, arguments = payloads.split_call(fields.get(b"description") or b"")
        return Job(
            id=id,
            call=call,
            arguments=arguments,
            facts=rq_jobs.facts(fields),
            payload=rq_jobs.payload(size, fields.get(b"data")),
            moments=rq_jobs.moments(fields, results),
            traceback=traceback,
            traceback_cut=cut,
        )

    def failures(self, node: RedisNode, queue: Queue) -> contract.Failures:
        """Shape: the newest 500 failures by exception and last frame. Cost: three round trips, at most 8 MiB of results.

        Source: ZRANGE REV `rq:failed:<q>`, XREVRANGE `rq:results:<id>` COUNT 1, or the field exc_info of older versions.
        """
        key = REGISTRIES["failed"][0] + queue.name
        total, ids = reads.replies(node, [("ZCARD", key), ("ZREVRANGE", key, 0, contract.FAILURES_LOOKED_AT - 1)])
        ended = reads.hash_fields(node, [JOB + one for one in ids], (b"ended_at",))
        errors = rq_jobs.errors(node, ids)
        unread = sum(one not in errors for one in ids)
        return contract.Failures(
            groups=rq_jobs.grouped(ids, errors, [reads.parsed_time(some.get(b"ended_at")) for some in ended]),
            looked_count=len(ids),
            failed=Count.exact(int(total)),
            unread_count=unread,
        )


ADAPTER = RqAdapter()


def _figures(name: bytes, now: float) -> list[Command]:
    return [
        ("LLEN", QUEUE + name),
        ("LLEN", QUEUE + name + b":intermediate"),
        *(("ZCARD", prefix + name) for prefix, _, _ in REGISTRIES.values()),
        ("ZCOUNT", b"rq:wip:" + name, 0, int(now)),
        ("LINDEX", QUEUE + name, 0),
        ("ZRANGE", b"rq:scheduled:" + name, 0, 0, "WITHSCORES"),
    ]


def _paused() -> Asking[bool]:
    (there,) = unrefused((yield [("EXISTS", "rq:suspended")]))
    return bool(there)


def _counted(queues: Sequence[Queue], now: float) -> Asking[list[tuple[list[Any], Age]]]:
    """The answers to `_figures` for each queue, and the age of its oldest job."""
    questions = [_figures(queue.name, now) for queue in queues]
    replies = iter((yield [command for some in questions for command in some]))
    figures = [list(islice(replies, len(some))) for some in questions]
    ages = yield from _ages(figures, now)
    return list(zip(figures, ages, strict=True))


def _ages(figures: Sequence[list[Any]], now: float) -> Asking[list[Age]]:
    heads = [some[-2] if isinstance(some[-2], bytes) else b"" for some in figures]
    times = iter((yield [("HGET", JOB + head, "enqueued_at") for head in heads if head]))
    return [_age(next(times), now) if head else Age.none() for head in heads]


def _age(at: Any, now: float) -> Age:
    if isinstance(at, EngineError):
        return Age.unknown(at.message)
    enqueued = reads.parsed_time(at)
    if enqueued is None:
        return Age.unknown("The oldest job has no record any more: its hash expired or was deleted.")
    return Age.exact(now - enqueued.timestamp())


def _workers(queues: Sequence[Queue], now: float) -> Asking[list[contract.Workers]]:
    """The workers of each queue. A worker whose hash expired, or that is silent for longer than it may be, is gone."""
    try:
        names = yield from reads.some_members([b"rq:workers:" + queue.name for queue in queues])
        every = sorted(set().union(*names))
        records = dict(zip(every, unrefused((yield [("HMGET", name, *WORKER_FIELDS) for name in every])), strict=True))
    except EngineError as error:
        return [contract.Workers(known=Known.UNKNOWN, why=error.message) for _ in queues]
    seen = {name: _worker(name, record, now) for name, record in records.items()}
    return [contract.Workers(known=Known.EXACT, workers=tuple(seen[name] for name in sorted(some))) for some in names]


def _worker(name: bytes, record: Sequence[bytes | None], now: float) -> contract.Worker:
    heartbeat, state, job, host, pid, version, done = record
    heard_at = reads.parsed_time(heartbeat)
    alive = heard_at is not None and now - heard_at.timestamp() < HEARTBEAT_LIMIT_S
    words = (state or b"gone").decode("ascii", "replace")[:20] if alive else "gone"
    where = b" ".join(
        part for part in (host, b"pid " + pid if pid else None, b"RQ " + version if version else None) if part
    )
    return contract.Worker(
        name=name.removeprefix(WORKER),
        alive=alive,
        state=words,
        heard_at=heard_at,
        jobs_count=int(done) if done and done.isdigit() else None,
        job=job or b"",
        where=where[:200],
    )


def _due_words(due: datetime, now: float) -> str:
    """A scheduler looks once a second or so: what is due for a minute is moved by nobody."""
    late_s = now - due.timestamp()
    if late_s > LATE_S:
        return f"The next scheduled job is due since {duration_text(late_s)}: no scheduler moves it."
    return f"The next scheduled job is due at {due:%Y-%m-%d %H:%M:%S} UTC."


def _snapshot(
    queue: Queue, figures: Sequence[Any], age: Age, workers: contract.Workers, *, paused: bool, now: float
) -> Snapshot:
    ready, moving, *cards = [reads.answer(reply) for reply in figures[:9]]
    registries = dict(zip(REGISTRIES, cards, strict=False))
    states = [contract.State(key="ready", title="Ready", count=ready)]
    states += [contract.State(key=key, title=REGISTRIES[key][1], count=count) for key, count in registries.items()]
    return Snapshot(
        queue=queue,
        ready=ready,
        running=registries["running"],
        scheduled=registries["scheduled"],
        failed=registries["failed"],
        abandoned=cards[-1],
        oldest=age,
        workers=workers,
        states=tuple(states),
        paused=paused,
        mark=figures[-2] if isinstance(figures[-2], bytes) else b"",
        notes=_notes(moving, figures[-1], now),
    )


def _notes(moving: Count, next_due: Any, now: float) -> tuple[str, ...]:
    due = reads.moment(next_due[1]) if isinstance(next_due, list) and next_due else None
    words = (_due_words(due, now) if due else "", f"{moving.value} on their way to a worker." if moving.value else "")
    return tuple(filter(None, words))


def _members(node: RedisNode, queue: Queue, state: str, begin: int) -> list[tuple[bytes, bytes]]:
    """(member, score) of one more than a page, so that the last page is known as such."""
    end = begin + contract.PAGE
    if state == "ready":
        _check_size(node, QUEUE + queue.name)
        ids = node.command("LRANGE", QUEUE + queue.name, begin, end)
        return [(one, b"") for one in ids]
    if state not in REGISTRIES:
        raise Gone("RQ has no such state.")
    verb = "ZREVRANGE" if state in NEWEST_FIRST else "ZRANGE"
    flat = node.command(verb, REGISTRIES[state][0] + queue.name, begin, end, "WITHSCORES")
    return list(zip(flat[::2], flat[1::2], strict=True))


def _check_size(node: RedisNode, key: bytes) -> None:
    """Errors: Unsupported for a list whose elements are far too large to be ids: a page of them could be any size."""
    average = asked(node, reads.element_bytes([key], [node.command("LLEN", key)]))[0]
    if average is not None and average > reads.GLANCE_BYTES:
        raise Unsupported("The elements of this list are too large to be ids of RQ jobs; they are not fetched.")


def _job_id(member: bytes, state: str) -> bytes:
    """Running jobs are listed as "job:execution" since RQ 2.0, as the job alone before."""
    return member.rpartition(b":")[0] or member if state == "running" else member

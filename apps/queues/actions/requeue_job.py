"""Put one failed job of RQ back into its queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apps.engine import scripting
from apps.engine.connections.redis import RedisNode, redis_node
from apps.engine.contracts.action import Action, Planning, Progress, Refused, Tier, Undo
from apps.engine.contracts.archive import Originals
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Check, Ending, Fact, Figure, Outcome, Plan, exactly, say
from apps.engine.glob import compiled
from apps.engine.replication import primary
from apps.engine.target import Kind, Target
from apps.engine.text import plain
from apps.engine.units import duration_text
from apps.queues import payloads, reads, rq_requeue
from apps.queues.rq_requeue import REQUEUE, UNQUEUE, Kept, Place

SOON_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    job: bytes = param("Job", fixed=True)
    queue: bytes = param("Queue", fixed=True)
    db: int = param("Database", fixed=True, default=0, least=0, most=65_535)

    @property
    def place(self) -> Place:
        return Place(queue=self.queue, job=self.job)


class BackAmongTheFailed(Undo[Params]):
    """Takes the job out of the queue again, unless a worker was quicker."""

    def plan(self, target: Target, params: Params, *, originals: Originals, only: bytes, planning: Planning) -> Plan:
        """Cost: the archive, and one HMGET. Errors: Refused where the pattern leaves the job out."""
        place, what = params.place, _kept(originals, only)
        with redis_node(replace(target, database=str(params.db))) as node:
            primary(node)
            status, queued_at, score = reads.replies(
                node,
                [
                    ("HGET", place.record, "status"),
                    ("HGET", place.record, "enqueued_at"),
                    ("ZSCORE", place.failed, place.job),
                ],
            )
        there = status == b"queued" and queued_at == what.requeued_at and score is None
        return Plan(
            effect="Take this job out of the queue again",
            of=say(params.job, " of ", params.queue),
            keep="Leave it in the queue",
            figures=(Figure(label="Jobs taken back", amount=exactly(int(there))),),
            facts=(
                Fact(label="Its state now", words=say(status or b"gone")),
                Fact(label="Then", words=say("among the failed jobs, with the fields that it had")),
            ),
            commands=(scripting.shown(UNQUEUE, *_keys(place)[:3]),),
            most_count=1,
            blocked=() if there else say(_why_not(status, score)),
        )

    def run(
        self, target: Target, params: Params, *, originals: Originals, only: bytes, plan: Plan, progress: Progress
    ) -> Outcome:
        what = _kept(originals, only)
        with progress.redis() as node:
            node.command("SELECT", params.db)
            progress.check()
            rq_requeue.unqueue(node, params.place, what)
        progress.step(1, total_count=1)
        return Outcome(
            ending=Ending.DONE,
            said=say("Took ", params.job, " out of ", params.queue, "; it is among the failed jobs again."),
            figures=(Figure(label="Jobs taken back", amount=exactly(1)),),
        )


class RequeueJob(Action[Params]):
    key = "queues.requeue_job"
    title = "Put a failed job back"
    verb = "Put back"
    icon = "refresh"
    kind = Kind.REDIS
    tier = Tier.T2
    permission = "jobs.requeue"
    feature = "queues.requeue"
    params = Params
    undo = BackAmongTheFailed()
    never = "Any other job, and what the job carries."
    inline = True

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one job. Cost: one SSCAN of the workers, an HGET a worker, some ten commands more.

        Errors: Gone where it is not among the failed; Unsupported on a replica, and for an RQ that was not tried.
        Source: `rq:workers`, `rq:job:<id>`, `rq:failed:<q>`, `rq:queue:<q>`, `rq:suspended`.
        """
        with redis_node(replace(target, database=str(params.db))) as node:
            primary(node)
            versions = rq_requeue.check_version(node)
            _, fields = rq_requeue.look(node, params.place)
            around = _around(node, params.place)
            now_s = reads.now_at(node)
        waiting = around["waiting"]
        return Plan(
            effect="Put this job back",
            of=say(params.job, " of ", params.queue, f", db {params.db}"),
            keep="Leave it failed",
            figures=(
                Figure(label="Jobs put back", amount=exactly(1), note=say("at the end of its queue")),
                Figure(label="Wait before it", amount=exactly(waiting, "jobs")),
            ),
            facts=(*_facts(fields, around, now_s), Fact(label="Workers", words=say(f"of RQ {versions}"))),
            commands=(scripting.shown(REQUEUE, *_keys(params.place)),),
            undo=say("Undo puts it back among the failed jobs with the fields it had, as long as no worker took it."),
            warnings=(say("RQ is suspended: no worker takes a job until it is resumed."),) if around["paused"] else (),
            most_count=1,
            observed={"failed at": _text(fields[b"ended_at"])},
        )

    def checks(self, target: Target, params: Params, *, plan: Plan) -> Sequence[Check]:
        with redis_node(replace(target, database=str(params.db))) as node:
            now = _text(node.command("HGET", params.place.record, "ended_at"))
        planned = plan.observed["failed at"]
        return [Check(label="Time of the failure", planned=planned, now=now, ok=now == planned)]

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        with progress.redis() as node:
            node.command("SELECT", params.db)
            rq_requeue.check_version(node)
            _put_back(node, params, progress)
            place_in_line = node.command("LLEN", params.place.waiting)
        progress.step(1, total_count=1)
        return Outcome(
            ending=Ending.DONE,
            said=say("Put ", params.job, " back into ", params.queue, "."),
            figures=(
                Figure(label="Jobs put back", amount=exactly(1), note=say("of 1 planned")),
                Figure(label="In the queue now", amount=exactly(place_in_line, "jobs")),
            ),
        )


ACTION = RequeueJob()


def _put_back(node: RedisNode, params: Params, progress: Progress) -> None:
    """Kept on disk first; changed only as it was kept. Errors: those of look and of requeue."""
    place = params.place
    score, fields = rq_requeue.look(node, place)
    what = Kept(queue=place.queue, score=score, fields=fields, requeued_at=rq_requeue.stamp(reads.now_at(node)))
    page = progress.archive.append([rq_requeue.record(place, what, database=params.db)])
    progress.check()
    answer = rq_requeue.requeue(node, place, what)
    progress.archive.settle(page, None if answer == rq_requeue.DONE else ())
    if answer != rq_requeue.DONE:
        raise rq_requeue.refusal(answer)


def _keys(place: Place) -> list[str]:
    return [plain(key, most=60) for key in (place.record, place.failed, place.waiting)] + ["rq:queues"]


def _around(node: RedisNode, place: Place) -> Mapping[str, Any]:
    """What matters besides the job itself: how many wait, on whom others wait, whether RQ is paused."""
    waiting, paused, dependents, ttl_ms, left, call = reads.replies(
        node,
        [
            ("LLEN", place.waiting),
            ("EXISTS", "rq:suspended"),
            ("SCARD", place.record + b":dependents"),
            ("PTTL", place.record),
            ("HGET", place.record, "retries_left"),
            ("HSTRLEN", place.record, "description"),
        ],
    )
    small = 0 < call <= payloads.SHOWN_BYTES
    return {
        "waiting": waiting,
        "paused": bool(paused),
        "dependents": dependents,
        "ttl_ms": ttl_ms,
        "left": left,
        "call": payloads.split_call(node.command("HGET", place.record, "description"))[0] if small else b"",
    }


def _facts(fields: Mapping[bytes, bytes | None], around: Mapping[str, Any], now_s: float) -> tuple[Fact, ...]:
    failed_at = reads.parsed_time(fields[b"ended_at"])
    left_s = around["ttl_ms"] / 1000
    facts = [
        Fact(label="Call", words=say(around["call"]) if around["call"] else say("not recorded")),
        Fact(label="Failed", words=say(f"{duration_text(now_s - failed_at.timestamp())} ago" if failed_at else "?")),
    ]
    if around["left"]:
        facts.append(Fact(label="Retries left", words=say(around["left"])))
    if around["dependents"]:
        facts.append(
            Fact(label="Depend on it", words=say(f"{around['dependents']} jobs, which RQ queues when it succeeds"))
        )
    if around["ttl_ms"] > 0:
        words = say(f"in {duration_text(left_s)} unless a worker takes it before")
        facts.append(Fact(label="Its record expires", words=words, signal="warn" if left_s < SOON_S else ""))
    return tuple(facts)


def _kept(originals: Originals, only: bytes) -> Kept:
    wanted = compiled(only) if only else None
    for record in originals.records():
        if wanted is None or wanted.matches(record.name):
            return rq_requeue.kept(record)
    raise Refused("No job that this run put back has such an id.", field="only")


def _why_not(status: bytes | None, score: bytes | None) -> str:
    if score is not None:
        return rq_requeue.not_undone(-3).message
    return rq_requeue.not_undone(-2 if status else -1).message


def _text(raw: bytes | None) -> str:
    return plain(raw or b"", most=40)

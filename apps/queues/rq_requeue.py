"""One failed job of RQ put back into its queue, and back among the failed ones: the scripts, what they answer, what is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from apps.engine import scripting
from apps.engine.connections.redis import RedisNode
from apps.engine.contracts.archive import Record
from apps.engine.errors import Busy, EngineError, Gone, NotPermitted, Unsupported
from apps.engine.files import lua_script
from apps.queues import reads
from apps.queues.asking import asked
from apps.queues.rq_jobs import FAILED, JOB, QUEUE, QUEUES, WORKERS

LUA = Path(__file__).resolve().parent / "lua"
REQUEUE, UNQUEUE = lua_script(LUA, "requeue_job"), lua_script(LUA, "unqueue_job")
TESTED = ("1", "2")
KIND = "rq job"
# What putting back changes, and so what is kept. RQ 1 keeps the traceback in exc_info.
FIELDS = (b"status", b"enqueued_at", b"started_at", b"ended_at", b"worker_name", b"exc_info")
MOST_KEPT_BYTES = 4 * 1024 * 1024
DONE = 1
_RIGHTS = "See the row Put failed jobs back in docs/permissions.md."


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A job by its queue and id, with the keys it lives under."""

    queue: bytes
    job: bytes

    @property
    def record(self) -> bytes:
        return JOB + self.job

    @property
    def failed(self) -> bytes:
        return FAILED + self.queue

    @property
    def waiting(self) -> bytes:
        return QUEUE + self.queue


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What a failed job was: its place, its score among the failed, the fields it had, and when it is put back."""

    queue: bytes
    score: bytes
    fields: dict[bytes, bytes | None]
    requeued_at: bytes

    @property
    def ended_at(self) -> bytes:
        return self.fields[b"ended_at"] or b""


def check_version(node: RedisNode) -> str:
    """The versions of the workers in this database, as text. Cost: one SSCAN of each 500 members, one HGET a worker.

    Errors: Unsupported where a worker is of a version that was not tried, or where none tells its version.
    Source: `rq:workers`, the field `version` of `rq:worker:<name>`.
    """
    names = asked(node, reads.some_members([WORKERS]))[0]
    told = reads.replies(node, [("HGET", name, "version") for name in sorted(names)[: reads.MOST_QUEUES]])
    versions = sorted({version.decode("ascii", "replace")[:20] for version in told if version})
    untested = [version for version in versions if version.split(".")[0] not in TESTED]
    if untested:
        raise Unsupported(
            f"RQ {untested[0]} works here, and was not tried with this console: its jobs are read only.",
            way_out="RQ 1 and 2 were tried.",
        )
    if not versions:
        raise Unsupported(
            "No worker of RQ is registered here, so its version is unknown and its jobs are read only.",
            way_out="Start a worker of RQ 1 or 2: the version is read from its record.",
        )
    return ", ".join(versions)


def look(node: RedisNode, place: Place) -> tuple[bytes, dict[bytes, bytes | None]]:
    """(score among the failed, fields that would change). Cost: three commands, one HMGET of at most some MB.

    Errors: Gone where it did not fail, or is of another queue; Unsupported where its traceback is too large to keep.
    Source: HGET origin, ZSCORE, HSTRLEN, HMGET.
    """
    origin, score, *sizes = reads.replies(
        node,
        [
            ("HGET", place.record, "origin"),
            ("ZSCORE", place.failed, place.job),
            *(("HSTRLEN", place.record, field) for field in FIELDS),
        ],
    )
    if score is None:
        raise refusal(-3)
    if origin != place.queue:
        raise refusal(-1 if origin is None else -2)
    if sum(sizes) > MOST_KEPT_BYTES:
        raise Unsupported("The record of this job is too large to be kept first.", way_out="Put it back by RQ itself.")
    values = node.command("HMGET", place.record, *FIELDS)
    return score, dict(zip(FIELDS, values, strict=True))


def kept(record: Record) -> Kept:
    return msgspec.msgpack.decode(record.content, type=Kept)


def record(place: Place, what: Kept, *, database: int) -> Record:
    return Record(name=place.job, content=msgspec.msgpack.encode(what), place=f"db {database}", kind=KIND)


def stamp(now_s: float) -> bytes:
    """A moment as RQ writes it."""
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()


def requeue(node: RedisNode, place: Place, what: Kept) -> int:
    """DONE, or a code for `refusal`: then nothing was changed. Cost: one script. Errors: EngineError, and it may have been done."""
    return int(
        scripting.call(
            node,
            REQUEUE,
            keys=[place.record, place.failed, place.waiting, QUEUES],
            arguments=[place.job, place.queue, what.ended_at, what.score, what.requeued_at],
        )
    )


def unqueue(node: RedisNode, place: Place, what: Kept) -> None:
    """Cost: one script. Errors: Gone, NotPermitted; then nothing was changed."""
    had = {field: value for field, value in what.fields.items() if value is not None}
    answer = scripting.call(
        node,
        UNQUEUE,
        keys=[place.record, place.failed, place.waiting],
        arguments=[place.job, what.requeued_at, what.score, len(had), *_flat(had), *what.fields.keys() - had.keys()],
    )
    if answer != DONE:
        raise not_undone(answer)


def _flat(pairs: Mapping[bytes, bytes]) -> Sequence[bytes]:
    return [word for pair in pairs.items() for word in pair]


def refusal(code: int) -> EngineError:
    """Why a job is not put back, by the answer of requeue_job.lua."""
    return {
        -1: Gone("The job is gone: its record expired or was deleted."),
        -2: Gone("The job belongs to another queue by now."),
        -3: Gone("It is not among the failed jobs any more: it was put back or deleted already."),
        -4: Busy("It was put back and failed again meanwhile.", way_out="Look at the new failure, then plan it again."),
        -5: NotPermitted("This account may not run every command of the script.", way_out=_RIGHTS),
    }.get(code, Busy("The script gave an answer that nobody knows."))


def not_undone(code: int) -> EngineError:
    """Why a job stays where it is, by the answer of unqueue_job.lua."""
    return {
        -1: Gone("The job is gone: it was finished, deleted or expired meanwhile."),
        -2: Gone("The job moved on since it was put back: a worker took it, or it was queued again."),
        -3: Gone("The job is among the failed ones already."),
        -4: Gone("A worker has taken the job: it is not in the queue any more."),
        -5: NotPermitted("This account may not run every command of the script.", way_out=_RIGHTS),
    }.get(code, Busy("The script gave an answer that nobody knows."))

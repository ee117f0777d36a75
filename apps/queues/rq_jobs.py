"""One job of RQ in words: its row, its facts, its results, and failures by error. The job's own data is never opened.

A result is an entry of the stream `rq:results:<id>` whose `exc_string` is base64 of zlib of the traceback; versions before
2.0 kept the traceback in the field `exc_info` of the job.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.engine.connections.redis import RedisNode
from apps.engine.contracts import adapter as contract
from apps.engine.contracts.adapter import Payload, Row
from apps.queues import payloads, reads

JOB, RESULTS = b"rq:job:", b"rq:results:"
QUEUE, FAILED, WORKER = b"rq:queue:", b"rq:failed:", b"rq:worker:"
QUEUES, WORKERS = b"rq:queues", b"rq:workers"
TIMES = {
    "ready": b"enqueued_at",
    "running": b"started_at",
    "failed": b"ended_at",
    "deferred": b"created_at",
    "finished": b"ended_at",
}
ROW_FIELDS = (
    b"status",
    b"description",
    b"created_at",
    b"enqueued_at",
    b"started_at",
    b"ended_at",
    b"retries_left",
    b"worker_name",
)
JOB_FIELDS = (*ROW_FIELDS, b"origin", b"timeout", b"result_ttl", b"failure_ttl", b"data", b"exc_info")
RESULTS_BYTES = 1024 * 1024
DATA_BYTES = 256 * 1024
WORDS = {
    b"1": "finished",
    b"2": "failed",
    b"3": "was stopped",
    b"4": "failed and was put back",
    b"5": "failed, no retries left",
}


def row(
    one: bytes, fields: dict[bytes, bytes | None], score: bytes, state: str, error: tuple[bytes, bytes, bytes] | None
) -> Row:
    description = fields.get(b"description")
    call, arguments = payloads.split_call(description or b"")
    at = reads.moment(score) if state == "scheduled" else reads.parsed_time(fields.get(TIMES.get(state, b"")))
    left = fields.get(b"retries_left")
    return Row(
        id=one,
        call=call,
        arguments=arguments,
        at=at,
        attempts=f"{int(left)} left" if left and left.isdigit() else "",
        error=error[0] if error else b"",
        message=error[1] if error else b"",
        note=_note(fields),
        holder=fields.get(b"worker_name") or b"",
    )


def _note(fields: dict[bytes, bytes | None]) -> str:
    if not any(fields.values()) and fields:
        return "no record: the id is listed, its hash is gone"
    return "" if b"description" in fields else "its call is too long to be fetched"


def results(node: RedisNode, ids: Sequence[bytes], *, count: int = 10) -> dict[bytes, tuple[Result, ...]]:
    """The newest results of each job, newest first; of streams up to 1 MiB, 8 MiB in all."""
    sizes = node.pipeline([("MEMORY", "USAGE", RESULTS + one) for one in ids])
    left, wanted = 8 * RESULTS_BYTES, []
    for one, size in zip(ids, sizes, strict=True):
        if isinstance(size, int) and size <= min(RESULTS_BYTES, left):
            left -= size
            wanted.append(one)
    replies = node.pipeline([("XREVRANGE", RESULTS + one, "+", "-", "COUNT", count) for one in wanted])
    return {one: tuple(map(_result, some)) for one, some in zip(wanted, replies, strict=True) if isinstance(some, list)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    at: datetime | None
    kind: bytes
    exc_string: bytes


def _result(entry: Any) -> Result:
    entry_id, flat = entry
    fields = dict(zip(flat[::2], flat[1::2], strict=False))
    at = reads.moment(int(entry_id.split(b"-")[0]) / 1000)
    return Result(at=at, kind=fields.get(b"type", b""), exc_string=fields.get(b"exc_string", b""))


def errors(node: RedisNode, ids: Sequence[bytes]) -> dict[bytes, tuple[bytes, bytes, bytes]]:
    """(exception, message, frame) of the last failure of each job that could be read."""
    newest = results(node, ids, count=1)
    found = {
        one: payloads.error_of(payloads.traceback_of(some[0].exc_string)[0])
        for one, some in newest.items()
        if some and some[0].exc_string
    }
    older = [one for one in ids if one not in found]
    fields = reads.hash_fields(node, [JOB + one for one in older], (b"exc_info",))
    for one, some_fields in zip(older, fields, strict=True):
        if raw := some_fields.get(b"exc_info"):
            found[one] = payloads.error_of(_legacy(raw)[0])
    return found


def _legacy(raw: bytes) -> tuple[bytes, bool]:
    """The field exc_info of RQ before 2.0: zlib of text, or text."""
    text, cut = payloads.inflated(raw)
    return (text, cut) if text else (raw, False)


def traceback(newest: Sequence[Result], fields: dict[bytes, bytes | None]) -> tuple[bytes, bool]:
    for result in newest:
        if result.exc_string:
            return payloads.traceback_of(result.exc_string)
    return _legacy(fields.get(b"exc_info") or b"")


def facts(fields: dict[bytes, bytes | None]) -> tuple[tuple[str, bytes], ...]:
    pairs = (
        ("State", b"status"), ("Queue", b"origin"), ("Worker", b"worker_name"), ("Retries left", b"retries_left"),
        ("Time limit in s", b"timeout"), ("Result kept for s", b"result_ttl"), ("Failure kept for s", b"failure_ttl"),
    )  # fmt: skip
    return tuple((title, value) for title, field in pairs if (value := fields.get(field)))


def payload(size: int, data: bytes | None) -> Payload:
    if not size:
        return Payload(size_bytes=0, steps=(), why="The job has no data.")
    if data is None:
        return Payload(size_bytes=size, steps=(), why="Too large to be fetched for a look at how it is packed.")
    steps = payloads.steps_of(data)
    if "JSON" not in steps:
        return Payload(
            size_bytes=size, steps=steps, why="Opening it could run code; the call is shown in RQ's own words."
        )
    text, cut = payloads.inflated(data) if steps[0] == "zlib" else (data, False)
    return Payload(size_bytes=size, steps=steps, body=payloads.indented(text) or text, cut=cut)


def moments(fields: dict[bytes, bytes | None], newest: Sequence[Result]) -> tuple[contract.Moment, ...]:
    named = ((b"created_at", "created"), (b"enqueued_at", "enqueued"), (b"started_at", "started"))
    found = [
        contract.Moment(at=at, words=words) for field, words in named if (at := reads.parsed_time(fields.get(field)))
    ]
    found += [
        contract.Moment(at=result.at, words=WORDS.get(result.kind, "ended"), bad=result.kind != b"1")
        for result in newest
        if result.at
    ]
    if not newest and (ended := reads.parsed_time(fields.get(b"ended_at"))):
        found.append(contract.Moment(at=ended, words="ended"))
    return tuple(sorted(found, key=lambda moment: moment.at))


def grouped(
    ids: Sequence[bytes], found: dict[bytes, tuple[bytes, bytes, bytes]], times: Sequence[datetime | None]
) -> tuple[contract.ErrorGroup, ...]:
    """Jobs by exception and last frame, most jobs first; the example is the newest."""
    kinds: dict[tuple[bytes, bytes], list[tuple[bytes, datetime | None]]] = defaultdict(list)
    for one, at in zip(ids, times, strict=True):
        if one in found:
            error, _, frame = found[one]
            kinds[error, frame].append((one, at))
    groups = [_group(error, frame, members) for (error, frame), members in kinds.items()]
    return tuple(sorted(groups, key=lambda group: -group.jobs_count))


def _group(error: bytes, frame: bytes, members: Sequence[tuple[bytes, datetime | None]]) -> contract.ErrorGroup:
    known = [at for _, at in members if at]
    return contract.ErrorGroup(
        error=error,
        frame=frame,
        jobs_count=len(members),
        first_at=min(known, default=None),
        last_at=max(known, default=None),
        example=members[0][0],
    )

"""Backlogs as figures of the history: `queue_depth_count[rq:emails]`, the same label for the same queue at every look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from apps.engine.contracts.adapter import Queue, Snapshot
from apps.engine.contracts.probe import Value
from apps.engine.errors import TimedOut
from apps.engine.target import Target
from apps.history.answers import labelled
from apps.queues.fleet import read_server

MOST_QUEUES = 50
WITHIN_S = 2.0


def label(queue: Queue) -> bytes:
    """`rq:emails`, `stream:orders/billing`, `outbox:public.outbox_event`, `celery:mails@2` in the third database of a Redis."""
    if queue.adapter == "outbox":
        return b"outbox:" + queue.part + b"." + queue.name
    part = b"/" + queue.part if queue.part else b""
    database = b"" if queue.database in ("", "0") else b"@" + queue.database.encode()
    return queue.adapter.encode() + b":" + queue.prefix + queue.name + part + database


def read_figures(target: Target) -> Mapping[str, Value]:
    """Shape: how many queues were found so far, jobs of all of them, the longest wait, and of 50 (the first by label) depth, age, failures.

    Units: counts, seconds; a lower bound where the framework tells no more; left out where it is unknown. The sums are of all
    queues, and unknown where the time was not enough for all. Cost, source: those of `read_server`, which asks nothing more after
    2 s. Errors: those of the connection.
    """
    reading = read_server(target, within_s=WITHIN_S)
    if reading.error is not None:
        raise reading.error
    now = sorted((judged.snapshot for judged in reading.queues), key=lambda each: label(each.queue))
    whole = not any(isinstance(problem.error, TimedOut) for problem in reading.problems)
    return {
        "queues_count": len(now) if whole else None,
        "jobs_ready_count": sum(each.ready.value or 0 for each in now) if whole else None,
        "jobs_failed_count": sum(each.failed.value or 0 for each in now) if whole else None,
        **(_oldest(now) if whole else {}),
        **{name: value for each in now[:MOST_QUEUES] for name, value in _figures(each)},
    }


def _oldest(now: Iterable[Snapshot]) -> dict[str, Value]:
    """The job that waits longest of all queues, at least so long, and where."""
    waiting = [(each.oldest.low_s, each) for each in now if each.ready.value and each.oldest.low_s is not None]
    if not waiting:
        return {"oldest_job_s": 0.0}
    oldest_s, where = max(waiting, key=lambda pair: pair[0])
    return {"oldest_job_s": oldest_s, "oldest_job_queue": where.queue.name.decode("utf-8", "backslashreplace")[:200]}


def _figures(now: Snapshot) -> Iterable[tuple[str, Value]]:
    oldest_s = 0 if now.ready.value == 0 else now.oldest.low_s
    told = {
        "queue_depth_count": now.ready.value,
        "queue_running_count": now.running.value,
        "queue_failed_count": now.failed.value,
        "queue_oldest_s": oldest_s,
        "queue_added_total": now.added_count,
        "queue_taken_total": now.taken_count,
    }
    return [(labelled(name, label(now.queue)), value) for name, value in told.items() if value is not None]

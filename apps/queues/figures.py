"""Backlogs as figures of the history: `queue_depth_count[rq:emails]`, the same label for the same queue at every look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from apps.engine.contracts.adapter import Queue, Snapshot
from apps.engine.contracts.probe import Value
from apps.engine.target import Target
from apps.history.answers import labelled
from apps.queues.fleet import read_server

MOST_QUEUES = 50


def label(queue: Queue) -> bytes:
    """`rq:emails`, `stream:orders/billing`, `outbox:public.outbox_event`, `celery:mails@2` in the third database of a Redis."""
    if queue.adapter == "outbox":
        return b"outbox:" + queue.part + b"." + queue.name
    part = b"/" + queue.part if queue.part else b""
    database = b"" if queue.database in ("", "0") else b"@" + queue.database.encode()
    return queue.adapter.encode() + b":" + queue.prefix + queue.name + part + database


def read_figures(target: Target) -> Mapping[str, Value]:
    """Shape: how many queues there are, jobs of all of them, and depth, age and failures of 50: the first by name.

    Units: counts, seconds; a lower bound where the framework tells no more; left out where it is unknown. Cost, source: those
    of `read_server`. Errors: those of the connection. A queue of more than 50 that is left out is still in the sums.
    """
    reading = read_server(target)
    if reading.error is not None:
        raise reading.error
    now = sorted((judged.snapshot for judged in reading.queues), key=lambda each: label(each.queue))
    return {
        "queues_count": len(now),
        "jobs_ready_count": sum(each.ready.value or 0 for each in now),
        "jobs_failed_count": sum(each.failed.value or 0 for each in now),
        **{name: value for each in now[:MOST_QUEUES] for name, value in _figures(each)},
    }


def _figures(now: Snapshot) -> Iterable[tuple[str, Value]]:
    oldest_s = 0 if now.ready.value == 0 else now.oldest.low_s
    told = {
        "queue_depth_count": now.ready.value,
        "queue_running_count": now.running.value,
        "queue_failed_count": now.failed.value,
        "queue_oldest_s": oldest_s,
    }
    return [(labelled(name, label(now.queue)), value) for name, value in told.items() if value is not None]

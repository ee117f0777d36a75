"""What is too old goes: whole partitions on PostgreSQL, slices of a thousand rows on SQLite."""

from __future__ import annotations

import time

from django.db import connection
from django.db.models import QuerySet

from apps.history import partitions, store
from apps.history.levels import DAY_S, LEVELS, Level
from apps.history.models import Held, Layout, Sample, Source

SLICE = 1000
MOST_S = 20.0  # of work in one pass


def forget_old(*, now_s: float | None = None) -> int:
    """Delete samples past the time their level keeps them, and those of servers that are gone. Returns rows, or partitions, deleted.

    Cost: on SQLite slices of 1,000 rows, each a transaction, at most 20 s a call; on PostgreSQL a DROP a partition.
    """
    now = int(time.time() if now_s is None else now_s)
    ends_at = time.monotonic() + MOST_S
    gone = 0
    for level in LEVELS:
        before_s = now - level.keep_s
        if connection.vendor == "postgresql":
            gone += partitions.drop_before(level, before_s=before_s)
        else:
            gone += sum(_forget(level, pk, before_s, ends_at) for pk in Source.objects.values_list("pk", flat=True))
    gone += sum(_forget_source(source, ends_at) for source in Source.objects.filter(server=None))
    longest_s = max(level.keep_s for level in LEVELS) + 2 * DAY_S
    Held.objects.filter(last_s__lt=now - longest_s).delete()
    Layout.objects.filter(used_s__lt=now - longest_s, held=None).delete()
    return gone


def _forget(level: Level, source_id: int, before_s: int, ends_at: float) -> int:
    """In slices, oldest first, as long as there is time."""
    old = level.rows.filter(source_id=source_id, at_s__lt=before_s).order_by("at_s")
    gone = 0
    while time.monotonic() < ends_at and (slice_ := _last_of_slice(old)) is not None:
        gone += level.rows.filter(source_id=source_id, at_s__lte=slice_).delete()[0]
    return gone


def _last_of_slice(old: QuerySet[Sample]) -> int | None:
    moments = list(old.values_list("at_s", flat=True)[:SLICE])
    return moments[-1] if moments else None


def _forget_source(source: Source, ends_at: float) -> int:
    """The samples of a server that is not registered any more, then the source itself."""
    gone = sum(_forget(level, source.pk, 1 << 62, ends_at) for level in LEVELS)
    if not any(level.rows.filter(source_id=source.pk).exists() for level in LEVELS):
        source.delete()
        store.forget_remembered()
    return gone

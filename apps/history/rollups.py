"""Samples gathered into coarser ones: raw into minutes, minutes into quarters of an hour, those into shifts of six hours.

Each level has a mark up to where it is whole. A pass takes whole windows from the mark on and moves the mark after they are
written, so a pass that is killed is done again, with the same result.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from apps.history import store
from apps.history.levels import LEVELS, MINUTE, RAW, Level
from apps.history.models import LastKnown, Mark, Sample, Source

GRACE_S = 20  # a sample may be written so late after its moment
MOST_S = 20.0  # of work in one pass
WINDOWS = 15  # of a level at once
SOURCES = 100
SPARK_FIGURES = {"redis_info": "ops_per_s", "postgres_stats": "tx_per_s"}
SPARK_MINUTES = 60


def roll_up(*, now_s: float | None = None) -> int:
    """Bring every level up to date; how many rows were written. Cost: some 3 µs a figure and sample, at most 20 s a call."""
    now = time.time() if now_s is None else now_s
    ends_at = time.monotonic() + MOST_S
    written = 0
    for finer, level in pairwise(LEVELS):
        while time.monotonic() < ends_at and (span := _next_span(finer, level, now)):
            written += _roll(finer, level, *span)
            Mark.objects.update_or_create(level=level.name, defaults={"until_s": span[1]})
    return written


def _next_span(finer: Level, level: Level, now: float) -> tuple[int, int] | None:
    """The next whole windows, None when there are none yet: the level below has to be there up to the end of them.

    A mark in the future is one from before the clock was set back: what is seen from now on is rolled up again.
    """
    marks = dict(Mark.objects.values_list("level", "until_s"))
    whole_until = int(now - GRACE_S if finer is RAW else marks.get(finer.name, 0)) // level.step_s * level.step_s
    begin = marks.get(level.name)
    if begin is None or whole_until - begin > WINDOWS * level.step_s:
        begin = _first_to_do(finer, begin or 0)
    if begin is None:
        return None
    if begin > now:
        begin = whole_until - 2 * level.step_s
    begin = begin // level.step_s * level.step_s
    end = min(whole_until, begin + WINDOWS * level.step_s)
    return (begin, end) if end > begin else None


def _first_to_do(finer: Level, from_s: int) -> int | None:
    """Where the level below begins to have samples: hours without any are skipped, not walked through. Cost: a seek a source."""
    rows = finer.rows.filter(at_s__gte=from_s)
    firsts = (rows.filter(source_id=pk).order_by("at_s").values_list("at_s", flat=True).first() for pk in _source_ids())
    return min((first for first in firsts if first is not None), default=None)


def _source_ids() -> list[int]:
    return list(Source.objects.order_by("pk").values_list("pk", flat=True))


def _roll(finer: Level, level: Level, begin: int, end: int) -> int:
    ids = _source_ids()
    written = 0
    for some in (ids[at : at + SOURCES] for at in range(0, len(ids), SOURCES)):
        rows = list(_gathered(finer, level, some, begin, end))
        store.write(level, rows, again=True)
        written += len(rows)
        if level is MINUTE:
            _spark(rows)
    return written


def _gathered(finer: Level, level: Level, source_ids: Sequence[int], begin: int, end: int) -> Iterator[Sample]:
    """A row for every source and window in which something was seen. Cost: one query, an index range a source."""
    found = finer.rows.filter(source_id__in=source_ids, at_s__gte=begin, at_s__lt=end)
    rows = found.order_by("source_id", "at_s").values_list("source_id", "at_s", "layout_id", "packed")
    for (source_id, at_s), window in groupby(
        rows.iterator(2000), key=lambda row: (row[0], row[1] // level.step_s * level.step_s)
    ):
        whole = _merged(
            [
                _part(layout, [row[3] for row in same], is_raw=finer.is_raw)
                for layout, same in groupby(window, key=lambda row: row[2])
            ]
        )
        yield level.model(source_id=source_id, at_s=at_s, layout_id=store.layout_of(whole.names), packed=whole.packed)


@dataclass(frozen=True, slots=True)
class _Part:
    """Samples of one layout that follow each other, as one: a column for each of mean, least, most and count."""

    names: tuple[str, ...]
    means: Sequence[float]
    leasts: Sequence[float]
    mosts: Sequence[float]
    counts: Sequence[float]

    @property
    def packed(self) -> bytes:
        return array("f", [*self.means, *self.leasts, *self.mosts, *self.counts]).tobytes()


def _part(layout_id: int, packed: Sequence[store.Packed], *, is_raw: bool) -> _Part:
    names = store.names_of(layout_id)
    width, rows = len(names), [store.unpacked(each) for each in packed]
    if is_raw:
        columns = list(zip(*rows, strict=True))
        means = [math.fsum(column) / len(column) for column in columns]
        return _Part(names, means, list(map(min, columns)), list(map(max, columns)), [float(len(rows))] * width)
    of = [[row[part * width : (part + 1) * width] for row in rows] for part in range(4)]
    counts = [sum(column) for column in zip(*of[3], strict=True)]
    totals = [
        math.fsum(mean * count for mean, count in zip(*pair, strict=True))
        for pair in zip(zip(*of[0], strict=True), zip(*of[3], strict=True), strict=True)
    ]
    means = [total / count for total, count in zip(totals, counts, strict=True)]
    return _Part(
        names, means, [min(c) for c in zip(*of[1], strict=True)], [max(c) for c in zip(*of[2], strict=True)], counts
    )


def _merged(parts: Sequence[_Part]) -> _Part:
    """Parts of different layouts as one: the figures changed within the window, because a queue or a command came or went."""
    if len(parts) == 1:
        return parts[0]
    by_name: dict[str, list[tuple[float, float, float, float]]] = {}
    for part in parts:
        for name, *values in zip(part.names, part.means, part.leasts, part.mosts, part.counts, strict=True):
            by_name.setdefault(name, []).append((values[0], values[1], values[2], values[3]))
    names = tuple(sorted(by_name))
    columns = [by_name[name] for name in names]
    counts = [sum(count for *_, count in column) for column in columns]
    means = [sum(v[0] * v[3] for v in column) / count for column, count in zip(columns, counts, strict=True)]
    return _Part(names, means, [min(v[1] for v in c) for c in columns], [max(v[2] for v in c) for c in columns], counts)


def _spark(rows: Sequence[Sample]) -> None:
    """The load of the last hour beside what is known last, so that the overview reads no samples."""
    loads: dict[int, list[tuple[int, float]]] = {}
    sources = {
        s.pk: s for s in Source.objects.filter(pk__in={row.source_id for row in rows}, node="", probe__in=SPARK_FIGURES)
    }
    for row in rows:
        source, names = sources.get(row.source_id), store.names_of(row.layout_id)
        if source and source.server_id and (figure := SPARK_FIGURES[source.probe]) in names:
            loads.setdefault(source.server_id, []).append((row.at_s, store.unpacked(row.packed)[names.index(figure)]))
    known = LastKnown.objects.filter(server_id__in=loads).only("pk", "server_id", "spark")
    changed = []
    for last_known in known:
        kept = dict(last_known.spark) | dict(loads[last_known.server_id])
        newest = max(kept)
        last_known.spark = [[at, round(kept[at], 3)] for at in sorted(kept) if at > newest - 60 * SPARK_MINUTES]
        changed.append(last_known)
    LastKnown.objects.bulk_update(changed, ["spark"], batch_size=100)

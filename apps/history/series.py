"""Samples read as lines of a chart: from the level that fits the span, gaps left open."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from django.db.models import Min, Q

from apps.engine.contracts.probe import bare, label_of
from apps.history.catalogue import probes
from apps.history.levels import LEVELS, RAW, Level
from apps.history.models import Held, Mark
from apps.history.store import Packed, names_of, unpacked
from apps.servers.models import Server

MOST_POINTS = 1600
MOST_ROWS = 3000
GAP_STEPS = 1.5  # what is further from the point before than so many steps is a gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure at the moments of its chart; None where nobody looked or the server did not say.

    `mean` is what to draw. `least` and `most` differ from it where a point stands for several samples.
    """

    mean: tuple[float | None, ...]
    least: tuple[float | None, ...]
    most: tuple[float | None, ...]

    @property
    def last(self) -> float | None:
        """The newest that is known within the chart."""
        return next((value for value in reversed(self.mean) if value is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """`at_s` are seconds since 1970, ascending; a point stands for `step_s`. Raw samples keep their own moments."""

    step_s: int
    at_s: tuple[int, ...]
    lines: Mapping[str, Line]


@dataclass(slots=True)
class _Sum:
    """What the samples of one point add up to."""

    total: float = 0.0
    count: float = 0.0
    least: float = math.inf
    most: float = -math.inf

    def add(self, mean: float, least: float, most: float, count: float) -> None:
        self.total += mean * count
        self.count += count
        if least < self.least:
            self.least = least
        if most > self.most:
            self.most = most


Sums = dict[int, _Sum]


def read(
    server: Server, names: Sequence[str], *, begin_s: float, end_s: float, node: str = "", step_s: int | None = None
) -> Chart:
    """The lines of these figures from `begin_s` up to `end_s`, at most about 1,600 points.

    Shape: Chart, with a line for every name, all None for one that was never seen. Units: those in the names. Cost: a query
    for the sources and one or two a source, at most about 3,000 narrow rows each, whatever was kept. Errors: none.
    Source: the console's own samples. `step_s` asks for coarser points.
    """
    begin, end = int(begin_s), int(end_s)
    level, step = _fitting(begin, end, wanted_s=step_s)
    sums: dict[str, Sums] = {name: {} for name in names}
    holds: dict[str, float] = {}
    marks = dict(Mark.objects.values_list("level", "until_s"))
    for source_id, (probe, layouts) in _sources(server, node, begin, end).items():
        mine = [name for name in names if any(name in names_of(layout) for layout in layouts)]
        if mine:
            every_s = probes()[probe].every_s if probe in probes() else 0.0
            holds.update(dict.fromkeys(mine, every_s * GAP_STEPS))
            _add(sums, mine, _rows(level, source_id, begin, end, marks), step=0 if step == RAW.step_s else step)
    moments, open_ = _moments(sums, begin, end, step)
    return Chart(
        step_s=step,
        at_s=tuple(moments),
        lines={name: _line(sums[name], moments, open_, hold_s=holds.get(name, 0.0)) for name in names},
    )


def labels(server: Server, figure: str, *, begin_s: float, end_s: float, node: str = "") -> tuple[str, ...]:
    """The labels a figure had in a span, in alphabetical order. Cost: one query."""
    layouts = {n for _, ls in _sources(server, node, int(begin_s), int(end_s)).values() for n in ls}
    return tuple(sorted({label_of(name) for layout in layouts for name in names_of(layout) if bare(name) == figure}))


def known_since(server: Server) -> int | None:
    """When the server was seen first, of what is still kept; None before that. Seconds since 1970. Cost: one query."""
    found: int | None = Held.objects.filter(source__server=server).aggregate(first=Min("first_s"))["first"]
    return found


def _fitting(begin: int, end: int, *, wanted_s: int | None) -> tuple[Level, int]:
    """The finest level that still has the begin and is not too long to read, and the step of a point."""
    span, age = max(end - begin, 1), time.time() - begin
    level = next((each for each in LEVELS if each.keep_s >= age and span / each.step_s <= MOST_ROWS), LEVELS[-1])
    step = level.step_s * math.ceil(span / level.step_s / MOST_POINTS)
    if wanted_s is not None and wanted_s > step:
        step = math.ceil(wanted_s / level.step_s) * level.step_s
    return level, step


def _sources(server: Server, node: str, begin: int, end: int) -> dict[int, tuple[str, set[int]]]:
    """By source: its probe, and the layouts it had in the span."""
    held = Held.objects.filter(
        Q(last_s=None) | Q(last_s__gte=begin), source__server=server, source__node=node, first_s__lt=end
    )
    found: dict[int, tuple[str, set[int]]] = {}
    for source_id, probe, layout_id in held.values_list("source_id", "source__probe", "layout_id"):
        found.setdefault(source_id, (probe, set()))[1].add(layout_id)
    return found


Row: TypeAlias = tuple[int, int, Packed, bool]  # at_s, layout, packed, whether it is raw


def _rows(level: Level, source_id: int, begin: int, end: int, marks: Mapping[str, int]) -> Iterator[Row]:
    """The rows of a source; what this level does not have yet comes from the finer one."""
    until = end if level.is_raw else min(end, marks.get(level.name, begin))
    rows = level.rows.filter(source_id=source_id, at_s__gte=begin, at_s__lt=until)
    for at_s, layout_id, packed in rows.order_by("at_s").values_list("at_s", "layout_id", "packed"):
        yield at_s, layout_id, packed, level.is_raw
    if until < end and not level.is_raw:
        finer = LEVELS[LEVELS.index(level) - 1]
        yield from _rows(finer, source_id, max(begin, until, end - MOST_ROWS * finer.step_s), end, marks)


def _add(sums: Mapping[str, Sums], names: Sequence[str], rows: Iterable[Row], *, step: int) -> None:
    """Into points of `step` seconds, or each into its own moment for 0."""
    places: dict[int, list[tuple[Sums, int]]] = {}
    for at_s, layout_id, packed, is_raw in rows:
        layout = names_of(layout_id)
        if layout_id not in places:
            places[layout_id] = [(sums[name], layout.index(name)) for name in names if name in layout]
        moment = at_s // step * step if step else at_s
        values, width = unpacked(packed), len(layout)
        for of_name, place in places[layout_id]:
            mean = values[place]
            if moment not in of_name:
                of_name[moment] = _Sum()
            if is_raw:
                of_name[moment].add(mean, mean, mean, 1.0)
            else:
                least, most, count = values[place + width], values[place + 2 * width], values[place + 3 * width]
                of_name[moment].add(mean, least, most, count)


def _moments(sums: Mapping[str, Sums], begin: int, end: int, step: int) -> tuple[list[int], set[int]]:
    """The moments of a chart, and those of them at which nobody looked. Raw samples have their own, with one in every gap."""
    if step > RAW.step_s:
        seen = {moment for each in sums.values() for moment in each}
        whole = list(range(begin // step * step, end, step))
        return whole, set(whole) - seen
    seen_at = sorted({moment for each in sums.values() for moment in each})
    gaps = {at + step for at, after in pairwise(seen_at) if after - at > GAP_STEPS * step}
    return sorted({*seen_at, *gaps}), gaps


def _line(sums: Sums, moments: Sequence[int], unseen: set[int], *, hold_s: float) -> Line:
    """A figure that is asked rarely stands until it is asked again, where others were seen meanwhile."""
    mean: list[float | None] = []
    least: list[float | None] = []
    most: list[float | None] = []
    last: tuple[int, _Sum] | None = None
    for moment in moments:
        here = sums.get(moment)
        if here is not None:
            last = (moment, here)
        elif last is not None and moment - last[0] <= hold_s and moment not in unseen:
            here = last[1]
        mean.append(here.total / here.count if here else None)
        least.append(here.least if here else None)
        most.append(here.most if here else None)
    return Line(mean=tuple(mean), least=tuple(least), most=tuple(most))

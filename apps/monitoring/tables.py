"""A chart as a table: every point with its time, its figures with their units, and gaps in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.history.series import Line
from apps.monitoring.drawn import Drawing, Drawings
from apps.monitoring.measures import Measure, text

GAP = "not looked at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    at: datetime
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One row a point, newest first. A cell says mean, and least to most where its point stands for several samples."""

    drawing: Drawing
    titles: tuple[str, ...]
    rows: tuple[Row, ...]


def table_of(drawn: Drawings, key: str, *, before: str) -> Table | None:
    """The chart `key` as a table; with a column of the earlier stretch where `before` names it. None for a chart that is none."""
    drawing = next((chart for chart in drawn.charts if chart.spec.key == key), None)
    if drawing is None:
        return None
    titles = [curve.title or drawing.spec.title for curve in drawing.curves]
    earlier = [f"{title}, {before}" for title in titles] if before else []
    rows = tuple(
        _row(drawing, drawn.at_s, place, with_before=bool(before)) for place in reversed(range(len(drawn.at_s)))
    )
    return Table(drawing=drawing, titles=(*titles, *earlier), rows=rows)


def _row(drawing: Drawing, at_s: Sequence[int], place: int, *, with_before: bool) -> Row:
    measure = drawing.spec.measure
    now = [_cell(line, place, measure) for line in drawing.lines]
    before = [_told(means[place], measure) for means in drawing.before] if with_before else []
    return Row(at=datetime.fromtimestamp(at_s[place], UTC), cells=(*now, *before))


def _told(value: float | None, measure: Measure) -> str:
    return GAP if value is None else text(value, measure)


def _cell(line: Line, place: int, measure: Measure) -> str:
    mean, least, most = line.mean[place], line.least[place], line.most[place]
    if mean is None or least is None or most is None:
        return GAP
    low, high = text(least, measure), text(most, measure)
    return text(mean, measure) if low == high else f"{text(mean, measure)} ({low} to {high})"

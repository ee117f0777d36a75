"""The lines of a server's charts: read from history, laid beside those of a day or a week before, and scaled."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.engine.contracts.probe import bare
from apps.history import series
from apps.history.series import Chart, Line
from apps.monitoring.charts import MOST_LABELS, Curve, Spec, largest
from apps.monitoring.measures import Measure, text
from apps.monitoring.spans import Span
from apps.servers.models import Server

POINTS = 360  # a small chart is about as many pixels wide
SMOOTH_S = 60  # what was before is drawn by the minute at the finest: its samples have moments of their own
LIMIT_IN_SIGHT = 2.0  # a limit further away than twice the highest figure would flatten the line
Means = tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One chart as it is drawn: its curves with their lines, what they were before (same moments), and the scale.

    `floor` above 0 is told beside the title. `limit` is None where there is none or it is out of sight.
    """

    spec: Spec
    curves: tuple[Curve, ...]
    lines: tuple[Line, ...]
    before: tuple[Means, ...]
    floor: float
    ceiling: float
    limit: float | None

    @property
    def first(self) -> Means:
        return self.lines[0].mean if self.lines else ()

    @property
    def first_before(self) -> Means:
        return self.before[0] if self.before else ()

    @property
    def has_points(self) -> bool:
        return any(value is not None for line in self.lines for value in line.mean)

    @property
    def floor_text(self) -> str:
        """18 GiB; empty where the axis begins at 0."""
        return text(self.floor, self.spec.measure) if self.floor else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawings:
    """All charts of a page share `at_s` (seconds since 1970) and the step of a point."""

    step_s: int
    at_s: tuple[int, ...]
    charts: tuple[Drawing, ...]

    @property
    def is_empty(self) -> bool:
        return not any(chart.has_points for chart in self.charts)


def drawings(server: Server, specs: Sequence[Spec], span: Span, figures: Mapping[str, Any]) -> Drawings:
    """The charts of `specs` over a stretch of time, and the same lines a day or a week earlier.

    Shape: Drawings. Units: those of each figure. Cost: two reads of `history.series` whatever was kept, each at most about
    3,000 narrow rows a source; one query more a chart by label. Errors: none. Source: the console's own samples.
    """
    begin_s, end_s = span.begin.timestamp(), span.end.timestamp() + 1  # the second of now is one of them
    curves = {spec.key: _curves(server, spec, figures, begin_s, end_s) for spec in specs}
    names = sorted({curve.figure for spec in specs for curve in (*curves[spec.key], *spec.otherwise)})
    step_s = math.ceil(span.length_s / POINTS)
    now = series.read(server, names, begin_s=begin_s, end_s=end_s, step_s=step_s)
    past = series.read(
        server, names, begin_s=begin_s - span.shift_s, end_s=end_s - span.shift_s, step_s=max(now.step_s, SMOOTH_S)
    )
    drawn = tuple(_drawing(spec, curves[spec.key], now, past, span, figures) for spec in specs)
    return Drawings(step_s=now.step_s, at_s=now.at_s, charts=drawn)


def _curves(server: Server, spec: Spec, figures: Mapping[str, Any], begin_s: float, end_s: float) -> tuple[Curve, ...]:
    """The labels that are largest at present; those that were only seen earlier fill what room is left."""
    if not spec.by_label:
        return spec.curves
    present = {n: v for n, v in figures.items() if bare(n) == spec.by_label and isinstance(v, int | float)}
    if len(present) < MOST_LABELS:
        seen = series.labels(server, spec.by_label, begin_s=begin_s, end_s=end_s)
        present = {**{f"{spec.by_label}[{label}]": -1.0 for label in seen}, **present}
    return largest(present)


def _drawing(
    spec: Spec, curves: tuple[Curve, ...], now: Chart, past: Chart, span: Span, figures: Mapping[str, Any]
) -> Drawing:
    if spec.otherwise and not any(_known(now.lines[curve.figure].mean) for curve in curves):
        curves = spec.otherwise
    lines = tuple(now.lines[curve.figure] for curve in curves)
    before = tuple(aligned(past, curve.figure, now.at_s, shift_s=span.shift_s) for curve in curves)
    limit = spec.limit_of(figures)
    drawn_before = before if span.compare else ()
    floor, ceiling, limit = scale(
        spec, (*(line.least for line in lines), *(line.most for line in lines), *drawn_before), limit
    )
    return Drawing(spec=spec, curves=curves, lines=lines, before=before, floor=floor, ceiling=ceiling, limit=limit)


def aligned(past: Chart, figure: str, at_s: Sequence[int], *, shift_s: int) -> Means:
    """A line of an earlier stretch at the moments of a later one; None where the earlier one knows nothing."""
    means = past.lines[figure].mean
    return tuple(_value_at(past.at_s, means, moment - shift_s, hold_s=1.5 * past.step_s) for moment in at_s)


def _value_at(at_s: Sequence[int], means: Means, moment: int, *, hold_s: float) -> float | None:
    place = bisect_right(at_s, moment) - 1
    return means[place] if place >= 0 and moment - at_s[place] < hold_s else None


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def scale(spec: Spec, lines: Iterable[Means], limit: float | None) -> tuple[float, float, float | None]:
    """(floor, ceiling, limit where it is in sight) that show all lines."""
    values = [value for line in lines for value in _known(line)]
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    shown = limit if limit and values and limit <= LIMIT_IN_SIGHT * high else None
    top = max(high, shown or 0.0)
    if spec.measure is Measure.SHARE:
        return (0.0 if spec.from_zero or not values else _floor(low, 1.0, 0.01)), 1.0, shown
    floor = 0.0 if spec.from_zero or low < 0.5 * top else _floor(low, top, _unit(spec.measure, top))
    return floor, floor + (top - floor) * 1.08 or 1.0, shown


def _unit(measure: Measure, value: float) -> float:
    """How much one of the unit is in which a value is written."""
    if measure is not Measure.MEMORY or value < 1024:
        return 1.0
    return float(1024 ** int(math.log(value, 1024)))


def _floor(low: float, high: float, unit: float) -> float:
    """A round figure below all values, so that the line stands in the middle of its chart."""
    room = max(high - low, 0.0) or high * 0.05 or unit
    step = unit * 10.0 ** math.floor(math.log10(room / unit))
    return max(0.0, math.floor((low - room * 0.5) / step) * step)

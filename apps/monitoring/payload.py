"""The charts of a server as the page's script takes them: numbers only, five digits, None for a gap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apps.monitoring.drawn import Drawing, Drawings
from apps.monitoring.server_page import Marks
from apps.monitoring.spans import Span


def payload(drawn: Drawings, marks: Marks, span: Span) -> dict[str, Any]:
    """Shape: begin_s, end_s, step_s, at_s, marks (at_s, letter, words), charts by key. Units: seconds, and each chart's measure."""
    return {
        "begin_s": int(span.begin.timestamp()),
        "end_s": int(span.end.timestamp()),
        "step_s": drawn.step_s,
        "at_s": drawn.at_s,
        "before": span.before if span.compare else "",
        "marks": [{"at_s": int(event.at.timestamp()), "letter": letter} for letter, event in reversed(marks) if letter],
        "charts": {drawing.spec.key: _chart(drawing, span) for drawing in drawn.charts},
    }


def _chart(drawing: Drawing, span: Span) -> dict[str, Any]:
    return {
        "measure": drawing.spec.measure.value,
        "floor": drawing.floor,
        "ceiling": drawing.ceiling,
        "begins_at": drawing.floor_text,
        "limit": drawing.limit,
        "filled": drawing.spec.filled and not drawing.floor,
        "lines": [_line(drawing, place, span) for place in range(len(drawing.curves))],
    }


def _line(drawing: Drawing, place: int, span: Span) -> dict[str, Any]:
    """The band of least and most, and what was before, of the first line only: more would hide it."""
    curve, line, is_first = drawing.curves[place], drawing.lines[place], place == 0
    banded = is_first and len(drawing.curves) == 1 and line.least != line.most
    return {
        "title": curve.title,
        "colour": curve.colour,
        "dashed": curve.dashed,
        "mean": _short(line.mean),
        "least": _short(line.least) if banded else None,
        "most": _short(line.most) if banded else None,
        "before": _short(drawing.before[place]) if is_first and span.compare else None,
    }


def _short(values: Iterable[float | None]) -> list[float | None]:
    return [None if value is None else float(f"{value:.5g}") for value in values]

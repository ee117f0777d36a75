"""What stands over each chart: the present figure with its limit, and a line in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.history.reads import ServerState
from apps.history.verdict import Finding
from apps.monitoring.against import Against, against, words
from apps.monitoring.charts import Spec
from apps.monitoring.drawn import Drawing, Drawings
from apps.monitoring.measures import parts, text
from apps.monitoring.spans import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One entry of a chart's legend."""

    title: str
    colour: int
    dashed: bool
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """`figure` is the present value in pieces, empty where it is not known, and `absent` says why. `signal` is of `finding`."""

    spec: Spec
    drawing: Drawing
    figure: tuple[tuple[str, str], ...]
    limit: str
    absent: str
    finding: Finding | None
    foretold: Foretold | None
    compared: Against | None
    words: str
    legend: tuple[Key, ...]

    @property
    def signal(self) -> str:
        return self.finding.signal if self.finding else ""

    @property
    def present(self) -> str:
        """The figure as text: 21.9 GiB of 24 GiB."""
        value = " ".join(f"{figure} {unit}".strip() for figure, unit in self.figure) or "unknown"
        return f"{value} of {self.limit}" if self.limit else value

    @property
    def aria(self) -> str:
        """The chart in a sentence, for who does not see it."""
        found = f"{self.finding.reason}; " if self.finding else ""
        began = f"; the axis begins at {self.drawing.floor_text}" if self.drawing.floor else ""
        return f"{self.spec.title}: {self.present}. {found}{self.words}{began}"


Figures = Mapping[str, Any]
SOON_S = 7 * 86_400.0  # a limit that may be reached within a week needs somebody


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """A figure that runs into its limit: `words` are "memory fills in 2 to 3 days"; growth a day with its 95 % bound."""

    figure: str
    words: str
    low_s: float
    per_day: float
    per_day_bound: float

    @property
    def signal(self) -> str:
        return "warn" if self.low_s < SOON_S else "info"

    def under(self, title: str) -> Finding:
        """As it is said under a title, whose word is not repeated: fills in 2 to 3 days."""
        return Finding(signal=self.signal, reason=self.words.removeprefix(f"{title.lower()} "))


def heads(
    drawn: Drawings, state: ServerState, figures: Figures, span: Span, foretold: Sequence[Foretold]
) -> tuple[Head, ...]:
    """The heads of all charts, `figures` being the last of the server. Cost: nothing is asked."""
    current = foretold if span.ends_now and not state.stale else ()
    return tuple(_head(drawing, state, figures, span, current) for drawing in drawn.charts)


def _head(drawing: Drawing, state: ServerState, figures: Figures, span: Span, foretold: Sequence[Foretold]) -> Head:
    spec, names = drawing.spec, {curve.figure for curve in drawing.curves} | {drawing.spec.present}
    value = _present(drawing, figures, span)
    compared = against(drawing.first, drawing.first_before)
    told = words(compared, spec.measure, before=span.before) if drawing.has_points else "nothing seen in this stretch"
    limit = spec.limit_of(figures) if isinstance(spec.limit, str) else None
    fills = next((each for each in foretold if each.figure in names), None)
    return Head(
        spec=spec,
        drawing=drawing,
        figure=() if value is None else parts(value, spec.measure),
        limit="" if limit is None or value is None else text(limit, spec.measure),
        absent=spec.absent if state.figures_at else "Not sampled yet.",
        finding=None if state.stale or not span.ends_now else _found(spec, figures, fills),
        foretold=fills,
        compared=compared,
        words="; ".join(filter(None, (_growth(fills, spec), told, spec.note(figures)))),
        legend=_legend(drawing),
    )


def _found(spec: Spec, figures: Figures, fills: Foretold | None) -> Finding | None:
    """The worst that is to be said of the present figure; when it fills rather than how full it is."""
    found = min(spec.rule(figures) if spec.rule else (), key=lambda finding: finding.rank, default=None)
    soon = fills.under(spec.title) if fills else None
    if soon is None or found is None:
        return soon or found
    return Finding(signal=min(found, soon, key=lambda each: each.rank).signal, reason=soon.reason)


def _growth(fills: Foretold | None, spec: Spec) -> str:
    if fills is None:
        return ""
    return f"+{text(fills.per_day, spec.measure)} ±{text(fills.per_day_bound, spec.measure)} a day"


def _present(drawing: Drawing, figures: Figures, span: Span) -> float | None:
    """What was sampled last; of a stretch in the past what was its last."""
    if span.ends_now:
        return drawing.spec.present_of(figures, drawing.curves)
    return next((line.last for line in drawing.lines if line.last is not None), None)


def _legend(drawing: Drawing) -> tuple[Key, ...]:
    """Only where a chart has several lines."""
    if len(drawing.curves) < 2:
        return ()
    return tuple(
        Key(title=curve.title, colour=curve.colour, dashed=curve.dashed, last=text(line.last, drawing.spec.measure))
        for curve, line in zip(drawing.curves, drawing.lines, strict=True)
        if line.last is not None
    )

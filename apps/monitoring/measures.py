"""What a figure is measured in, and how it is written: on the page, in a table, in what a screen reader says."""

from __future__ import annotations

import enum

from apps.engine import units


class Measure(enum.StrEnum):
    """The page's script knows the same words (static/charts.js)."""

    MEMORY = "memory"
    FLOW = "flow"
    COUNT = "count"
    RATE = "rate"
    SHARE = "share"
    DURATION = "duration"


def parts(value: float, measure: Measure) -> tuple[tuple[str, str], ...]:
    """Figures with their units: (("21.9", "GiB"),), (("4", "min"), ("10", "s"))."""
    if measure is Measure.MEMORY:
        return (units.memory(value),)
    if measure is Measure.FLOW:
        figure, unit = units.disk(value)
        return ((figure, f"{unit}/s"),)
    if measure is Measure.RATE:
        figure, prefix = units.rate(value)
        return ((figure, f"{prefix}/s"),)
    if measure is Measure.SHARE:
        return ((units.share(value), "%"),)
    if measure is Measure.DURATION:
        return units.duration(value) if value else (("0", "s"),)
    return ((units.count(value), ""),)


def text(value: float | None, measure: Measure) -> str:
    """21.9 GiB; 4 min 10 s; unknown."""
    if value is None:
        return "unknown"
    return " ".join(f"{figure} {unit}".strip() for figure, unit in parts(value, measure))

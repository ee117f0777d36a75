"""A stretch of time against an earlier one: how much it changed, and whether that is more than the usual scatter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from apps.monitoring.measures import Measure, text

FEWEST_PAIRS = 8
BATCHES = 12
SURE = 2.2  # Student's t for twelve batches, 95 %
WORTH_SAYING = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """Means over those moments of both stretches that are known, and the 95 % bound of their difference.

    Neighbouring moments are alike, so the bound is from the differences of twelve batches, not of single points.
    """

    now: float
    before: float
    bound: float

    @property
    def change(self) -> float:
        return self.now - self.before

    @property
    def change_ratio(self) -> float | None:
        return self.change / self.before if self.before else None

    @property
    def within_bound(self) -> bool:
        small = self.change_ratio is not None and abs(self.change_ratio) < WORTH_SAYING
        return small or abs(self.change) <= self.bound


def against(now: Sequence[float | None], before: Sequence[float | None]) -> Against | None:
    """None where too little is known of either to say anything."""
    pairs = [(a, b) for a, b in zip(now, before, strict=True) if a is not None and b is not None]
    if len(pairs) < FEWEST_PAIRS:
        return None
    size = math.ceil(len(pairs) / BATCHES)
    batches = [pairs[at : at + size] for at in range(0, len(pairs), size)]
    changes = [fmean(a - b for a, b in batch) for batch in batches]
    bound = SURE * stdev(changes) / math.sqrt(len(changes))
    return Against(now=fmean(a for a, _ in pairs), before=fmean(b for _, b in pairs), bound=bound)


def words(found: Against | None, measure: Measure, *, before: str) -> str:
    """`the week before 16.9 k/s, +9 %`; says so where the change is within its bound, or nothing is known."""
    if found is None:
        return f"nothing known of {before}"
    if not found.now and not found.before:
        return f"none, and none {before}"
    return f"{before} {text(found.before, measure)}, {_change(found, measure)}"


def _change(found: Against, measure: Measure) -> str:
    if found.within_bound:
        return "within bound"
    if measure is Measure.SHARE:
        return f"{found.change * 100:+.1f} points"
    if found.change_ratio is None or found.change_ratio > 9:
        return "many times as much" if found.before else "new"
    return f"{found.change_ratio * 100:+.0f} %"

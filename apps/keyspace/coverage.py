"""What was looked at, of how much, and what that says about the rest."""

from __future__ import annotations

from dataclasses import dataclass

from apps.keyspace.estimates import Estimate, matching
from apps.keyspace.reads.look import Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Counts of keys since the look began. `ratio` is None where the total is unknown; `estimate` where none is needed."""

    looked_count: int
    found_count: int
    total_count: int | None
    ratio: float | None
    finished: bool
    direct: bool
    filtered: bool
    estimate: Estimate | None

    @property
    def percent(self) -> str:
        """ "0.5", and "under 0.1" where one decimal would say none."""
        if self.ratio is None:
            return ""
        return "under 0.1" if 0 < self.ratio < 0.0005 else f"{self.ratio * 100:.1f}".removesuffix(".0")


def coverage(look: Look, *, filtered: bool) -> Coverage:
    """`filtered` tells whether a pattern or a type was asked for: without one every key matches."""
    after, total_count = look.after, look.total_count
    ratio = min(1.0, after.looked_count / total_count) if total_count else None
    estimate = None
    if filtered and total_count and not look.finished:
        estimate = matching(
            found_count=after.found_count,
            looked_count=after.looked_count,
            total_count=max(total_count, after.looked_count),
        )
    return Coverage(
        looked_count=after.looked_count,
        found_count=after.found_count,
        total_count=total_count,
        ratio=ratio,
        finished=look.finished,
        direct=look.direct,
        filtered=filtered,
        estimate=estimate,
    )

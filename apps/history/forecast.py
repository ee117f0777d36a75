"""When a figure reaches its limit, as a range, where a straight line is honest; nothing where it is not.

The span is cut into blocks whose means are regressed (samples that follow each other are not independent), once over the whole
span and once over its second half. The range goes from the fastest to the slowest slope within the 95 % bounds of both: where
the two disagree, the range is wide and no false middle is told. Nothing is told when growth is not beyond doubt, when the
points do not lie on a line, or when the limit is further away than three times what was seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from apps.engine.units import duration_range, duration_text

BLOCKS = 24
LEAST_BLOCKS = 8  # of a span: fewer are no line
LEAST_FIT = 0.7  # share of the variance that the line explains
FURTHEST = 3.0  # spans
# Student's t for 95 %, by degrees of freedom; the last for more.
T95 = (
    12.71,
    4.30,
    3.18,
    2.78,
    2.57,
    2.45,
    2.36,
    2.31,
    2.26,
    2.23,
    2.20,
    2.18,
    2.16,
    2.14,
    2.13,
    2.12,
    2.11,
    2.10,
    2.09,
    2.09,
    2.08,
    2.07,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The limit is reached between `low_s` and `high_s` from now; `high_s` None: it may also never be.

    `per_day` is the growth in the figure's unit, give or take `per_day_bound` (95 %).
    """

    low_s: float
    high_s: float | None
    per_day: float
    per_day_bound: float

    @property
    def when(self) -> str:
        """in 2 to 3 days"""
        if self.high_s is None:
            return f"in {duration_text(self.low_s)} at the earliest"
        return f"in {duration_range(self.low_s, self.high_s)}"


@dataclass(frozen=True, slots=True)
class _Slope:
    """Growth a second and its 95 % bound; the share of the variance that the line explains; where the line passes through."""

    value: float
    bound: float
    fit: float
    through: tuple[float, float]

    def at(self, moment: float) -> float:
        return self.through[1] + self.value * (moment - self.through[0])


def forecast(at_s: Sequence[float], values: Sequence[float | None], *, limit: float) -> Forecast | None:
    """When `values` at `at_s` (seconds, ascending) reach `limit`, counted from the last of them. Cost: one pass."""
    seen = [(at, value) for at, value in zip(at_s, values, strict=True) if value is not None]
    blocks = _blocks(seen)
    if len(blocks) < LEAST_BLOCKS:
        return None
    slopes = [_slope(blocks), _slope(blocks[len(blocks) // 2 :])]
    whole = slopes[0]
    now, span_s = seen[-1][0], seen[-1][0] - seen[0][0]
    reached = [slope.at(now) for slope in slopes]
    if limit <= max(*reached, seen[-1][1]) or whole.fit < LEAST_FIT or whole.value <= whole.bound:
        return None
    fastest = max(slope.value + slope.bound for slope in slopes)
    slowest = min(slope.value - slope.bound for slope in slopes)
    low_s = (limit - max(reached)) / fastest
    if low_s > FURTHEST * span_s:
        return None
    high_s = (limit - min(reached)) / slowest if slowest > 0 else None
    return Forecast(low_s=low_s, high_s=high_s, per_day=whole.value * 86_400, per_day_bound=whole.bound * 86_400)


def _blocks(seen: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Means of time and value of up to 24 parts of the span, each as long as the others; empty ones are left out."""
    if len(seen) < LEAST_BLOCKS:
        return []
    begin, length = seen[0][0], (seen[-1][0] - seen[0][0]) / BLOCKS or 1.0
    parts: dict[int, list[tuple[float, float]]] = {}
    for at, value in seen:
        parts.setdefault(min(int((at - begin) / length), BLOCKS - 1), []).append((at, value))
    return [(_mean([at for at, _ in part]), _mean([value for _, value in part])) for _, part in sorted(parts.items())]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _slope(points: Sequence[tuple[float, float]]) -> _Slope:
    """Least squares. A perfect line has no bound."""
    middle_at, middle = _mean([at for at, _ in points]), _mean([value for _, value in points])
    spread = math.fsum((at - middle_at) ** 2 for at, _ in points)
    variance = math.fsum((value - middle) ** 2 for _, value in points)
    if not spread or not variance:
        return _Slope(0.0, 0.0, 0.0, (middle_at, middle))
    value = math.fsum((at - middle_at) * (y - middle) for at, y in points) / spread
    left = max(0.0, variance - value * value * spread)
    freedom = len(points) - 2
    bound = T95[min(freedom, len(T95)) - 1] * math.sqrt(left / freedom / spread)
    return _Slope(value, bound, 1 - left / variance, (middle_at, middle))

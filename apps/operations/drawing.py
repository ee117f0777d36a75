"""A line over time as SVG attributes: drawn by the server, so that it needs no script and obeys the content policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

WIDTH, HEIGHT = 560, 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """`line` is a path in a box of 560 x 96; the axis begins at 0 and ends at `top`. `rows` are the same as a table."""

    line: str
    area: str
    top: float
    last: float
    begun_at: datetime
    ended_at: datetime
    rows: tuple[tuple[datetime, float], ...]


def chart(points: Sequence[tuple[datetime, float]]) -> Chart:
    """Errors: ValueError for no points."""
    if not points:
        raise ValueError("a chart needs points")
    begun, ended = points[0][0], points[-1][0]
    span = max((ended - begun).total_seconds(), 1e-9)
    top = _round_up(max(value for _, value in points))
    places = [
        (f"{(at - begun).total_seconds() / span * WIDTH:.1f}", f"{HEIGHT - value / top * (HEIGHT - 4):.1f}")
        for at, value in points
    ]
    line = "M" + "L".join(f"{x} {y}" for x, y in places)
    step = max(1, len(points) // 20)
    return Chart(
        line=line,
        area=f"{line}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z",
        top=top,
        last=points[-1][1],
        begun_at=begun,
        ended_at=ended,
        rows=tuple(points[::step]),
    )


def _round_up(value: float) -> float:
    """To the next 1, 2 or 5 of its size, so that axes do not jump with every point."""
    if value <= 0:
        return 1.0
    size = 10.0 ** len(str(int(value))) / 10 if value >= 1 else 0.1
    return next(size * step for step in (1, 2, 5, 10) if value <= size * step)

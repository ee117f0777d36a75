"""The load of the last hour as a line of a few points, drawn by the server: no script, and no samples are read for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from apps.history.models import LastKnown
from apps.history.reads import ServerState

SPAN_S = 3600
WIDTH, HEIGHT, TOP = 100.0, 20.0, 3.0
GAP_S = 150  # minutes are missing between two points that are further apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """Paths in a box of 100 x 20 whose lower edge is 0. Where nobody looked the line is broken. `words` say the same."""

    line: str
    area: str
    words: str


def sparks(states: Iterable[ServerState], *, now_s: float) -> Mapping[int, Spark]:
    """By server, of those that were seen in the last hour. Cost: one query."""
    units = {state.server.pk: "commands" if state.server.is_redis else "transactions" for state in states}
    found = LastKnown.objects.filter(server__in=units).values_list("server_id", "spark")
    drawn = {pk: spark(points, now_s=now_s, unit=units[pk]) for pk, points in found}
    return {pk: each for pk, each in drawn.items() if each is not None}


def spark(points: Sequence[tuple[int, float]], *, now_s: float, unit: str) -> Spark | None:
    """None where less than two minutes of the last hour are known."""
    begin_s = now_s - SPAN_S
    seen = [(at, value) for at, value in points if begin_s <= at <= now_s]
    if len(seen) < 2:
        return None
    least, most = min(value for _, value in seen), max(value for _, value in seen)
    pieces = [[_place(at - begin_s, value, most) for at, value in piece] for piece in _unbroken(seen)]
    return Spark(
        line="".join("M" + "L".join(piece) for piece in pieces),
        area="".join(f"M{_x(piece[0])} {HEIGHT:g}L{'L'.join(piece)}L{_x(piece[-1])} {HEIGHT:g}Z" for piece in pieces),
        words=f"{least:,.0f} to {most:,.0f} {unit} a second in the last hour, {len(seen)} minutes of it seen",
    )


def _unbroken(seen: Sequence[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    pieces = [[seen[0]]]
    for point in seen[1:]:
        if point[0] - pieces[-1][-1][0] > GAP_S:
            pieces.append([])
        pieces[-1].append(point)
    return pieces


def _place(since_s: float, value: float, most: float) -> str:
    x = since_s / SPAN_S * WIDTH
    y = HEIGHT - 1 - (value / most if most > 0 else 0) * (HEIGHT - TOP - 1)
    return f"{x:.1f} {y:.1f}"


def _x(place: str) -> str:
    return place.partition(" ")[0]

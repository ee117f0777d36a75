"""Events as the timeline shows them: in words, a day at a time, with what still goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby

from apps.history.models import Event
from apps.history.timeline import LASTING

# kind: what one is called, and many
KINDS: Mapping[str, tuple[str, str]] = {
    "down": ("outage", "outages"),
    "failover": ("failover", "failovers"),
    "restart": ("restart", "restarts"),
    "finding": ("finding", "findings"),
    "setting": ("change of settings", "changes of settings"),
    "version": ("new version", "new versions"),
    "reset": ("reset of statistics", "resets of statistics"),
    "deploy": ("deploy", "deploys"),
    "run": ("run", "runs"),
    "gap": ("gap in what was seen", "gaps in what was seen"),
    "clock": ("step of the clock", "steps of the clock"),
}
MOST_NAMED = 3
ELSEWHERE = ("https://", "http://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event. `signal` is empty for what is neither good nor bad, and for what was bad and ended."""

    event: Event
    kind: str
    signal: str
    goes_on: bool
    lasted_s: float | None
    again_count: int
    url: str
    is_elsewhere: bool

    @property
    def where(self) -> str:
        """Whom it is about, where that is no server."""
        return "" if self.event.server_id else self.event.environment or "the console"


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    date: date
    lines: tuple[Line, ...]


def line(event: Event) -> Line:
    goes_on = event.kind in LASTING and event.ended_at is None
    over = event.kind in ("finding", "down") and not goes_on
    return Line(
        event=event,
        kind=KINDS[event.kind][0] if event.kind in KINDS else event.kind,
        signal="" if over else event.signal,
        goes_on=goes_on,
        lasted_s=(event.ended_at - event.at).total_seconds() if event.ended_at else None,
        again_count=int(event.detail.get("again_count", 0)),
        url=event.url if event.url.startswith(("/", *ELSEWHERE)) else "",
        is_elsewhere=event.url.startswith(ELSEWHERE),
    )


def days(events: Iterable[Event]) -> list[Day]:
    """Events in their order, a group a day of UTC."""
    grouped = groupby(events, key=lambda event: event.at.astimezone(UTC).date())
    return [Day(date=day, lines=tuple(map(line, found))) for day, found in grouped]


def told(counts: Mapping[str, int]) -> str:
    """What there was most of, worst kinds first: "2 outages, 1 restart, 14 runs and 3 more"."""
    there = [(kind, counts[kind]) for kind in KINDS if counts.get(kind)]
    named = [f"{number:,} {KINDS[kind][number != 1]}" for kind, number in there[:MOST_NAMED]]
    rest = sum(number for _, number in there[MOST_NAMED:])
    parts = [*named, *([f"{rest:,} more"] if rest else [])]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def cursor(event: Event) -> str:
    """Where a page ends: the microsecond, and the number among those of it."""
    return f"{int(event.at.timestamp()) * 1_000_000 + event.at.microsecond}-{event.pk}"


def read_cursor(text: str) -> tuple[datetime, int] | None:
    """Where a page begins; None for what is no cursor."""
    moment, _, number = text.partition("-")
    if not (text.isascii() and moment.isdecimal() and number.isdecimal()) or len(moment) > 16 or len(number) > 18:
        return None
    seconds, microseconds = divmod(int(moment), 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds), int(number)

"""Which stretch of time a page shows: one of the usual ranges up to now, or from one moment to another, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOUR_S, DAY_S = 3600, 86_400
WEEK_S = 7 * DAY_S
LONGEST_S = 400 * DAY_S
SHORTEST_S = 60
USUAL = "24h"
RANGES = {
    "1h": (HOUR_S, "1 h", "1 hour"),
    "24h": (DAY_S, "24 h", "24 hours"),
    "7d": (WEEK_S, "7 d", "7 days"),
    "31d": (31 * DAY_S, "31 d", "31 days"),
    "400d": (LONGEST_S, "400 d", "400 days"),
}
# What a stretch may be compared with: the word in the address, how far back, what it is called.
BEFORE = {"day": (DAY_S, "the day before"), "week": (WEEK_S, "the week before")}

BEFORE_SHORT = {"day": "Day before", "week": "Week before"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """`key` is the range, empty for a stretch of one's own. `compare` is day, week or empty. `begin` and `end` are UTC."""

    key: str
    begin: datetime
    end: datetime
    compare: str
    problem: str = ""

    @property
    def length_s(self) -> int:
        return int((self.end - self.begin).total_seconds())

    @property
    def ends_now(self) -> bool:
        return bool(self.key)

    @property
    def title(self) -> str:
        return RANGES[self.key][2] if self.key else "From, to"

    @property
    def short(self) -> str:
        """The stretch in words: 19 Nov, 03:12 UTC to now."""
        form = "%-d %b, %H:%M" if self.length_s <= 31 * DAY_S else "%-d %b %Y, %H:%M"
        return f"{self.begin:{form}} UTC to {'now' if self.ends_now else f'{self.end:{form}} UTC'}"

    @property
    def shift_s(self) -> int:
        """How far back lies what it is measured against in words, whether or not that is drawn."""
        return BEFORE[self.compare or "week"][0]

    @property
    def before(self) -> str:
        return BEFORE[self.compare or "week"][1]

    @property
    def choices(self) -> tuple[str, ...]:
        """What it may be drawn against: a day ago only where it does not overlap."""
        return tuple(key for key, (shift_s, _) in BEFORE.items() if self.length_s <= shift_s)

    @property
    def query(self) -> str:
        """The same stretch in an address, for what asks for its data."""
        drawn = f"&compare={self.compare}" if self.compare else ""
        stretch = (
            f"range={self.key}" if self.key else f"from={self.begin:%Y-%m-%dT%H:%M:%S}&to={self.end:%Y-%m-%dT%H:%M:%S}"
        )
        return stretch + drawn


def chosen(asked: Mapping[str, str], *, now: datetime) -> Span:
    """The stretch that an address asks for. What makes no sense is said in `problem`, and the last 24 hours are shown."""
    begin, end = _moment(asked.get("from", "")), _moment(asked.get("to", ""))
    if begin is None and end is None:
        key = asked.get("range", USUAL)
        problem = "" if key in RANGES else "There is no such range; these are the last 24 hours."
        wrong = "A moment is written as 2026-11-20T03:12, in UTC; these are the last 24 hours."
        given = asked.get("from") or asked.get("to")
        return _usual(key if key in RANGES else USUAL, asked, now=now, problem=wrong if given else problem)
    end = min(end or now, now)
    begin = begin or end - timedelta(seconds=DAY_S)
    if not SHORTEST_S <= (end - begin).total_seconds() <= LONGEST_S:
        problem = "From has to be before to, by a minute at least and 400 days at most; these are the last 24 hours."
        return _usual(USUAL, asked, now=now, problem=problem)
    return _compared(Span(key="", begin=begin, end=end, compare=""), asked)


def _usual(key: str, asked: Mapping[str, str], *, now: datetime, problem: str) -> Span:
    begin = now - timedelta(seconds=RANGES[key][0])
    return _compared(Span(key=key, begin=begin, end=now, compare="", problem=problem), asked)


def _compared(span: Span, asked: Mapping[str, str]) -> Span:
    compare = asked.get("compare", "")
    if compare not in span.choices:
        return span
    return Span(key=span.key, begin=span.begin, end=span.end, compare=compare, problem=span.problem)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text[:32].removesuffix("Z")).replace(tzinfo=UTC) if text else None
    except ValueError:
        return None

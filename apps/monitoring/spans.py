"""Which stretch of time a page shows: one of the usual ranges up to now, or from one moment to another, in UTC."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOUR_S, DAY_S = 3600, 86_400
WEEK_S = 7 * DAY_S
LONGEST_S = 400 * DAY_S
SHORTEST_S = 60
USUAL = "24h"
INSTEAD = "these are the last 24 hours."
RANGES = {
    "1h": (HOUR_S, "1 h", "1 hour"),
    "24h": (DAY_S, "24 h", "24 hours"),
    "7d": (WEEK_S, "7 d", "7 days"),
    "31d": (31 * DAY_S, "31 d", "31 days"),
    "400d": (LONGEST_S, "400 d", "400 days"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What a stretch is measured against: the word in the address, how far back it lies, what it is called."""

    key: str
    shift_s: int
    words: str
    short: str


DAY = Earlier(key="day", shift_s=DAY_S, words="the day before", short="Day before")
WEEK = Earlier(key="week", shift_s=WEEK_S, words="the week before", short="Week before")


def _weeks(length_s: int) -> Earlier:
    """As many whole weeks as a stretch needs not to overlap: the same days of the week lie on each other."""
    count = math.ceil(length_s / WEEK_S)
    return Earlier(key="weeks", shift_s=count * WEEK_S, words=f"{count} weeks before", short=f"{count} weeks before")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """`key` is the range, empty for a stretch of one's own; `compare` the key of what is drawn as well, or empty. All is UTC."""

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
    def choices(self) -> tuple[Earlier, ...]:
        """What it may be drawn against: what is kept, and does not overlap."""
        possible = (DAY, WEEK) if self.length_s <= WEEK_S else (_weeks(self.length_s),)
        return tuple(each for each in possible if self.length_s <= each.shift_s <= LONGEST_S - self.length_s)

    @property
    def earlier(self) -> Earlier:
        """What it is measured against in words, whether or not that is drawn: a week before where nothing was chosen."""
        usual = WEEK if self.length_s <= WEEK_S else _weeks(self.length_s)
        return next((each for each in self.choices if each.key == self.compare), usual)

    @property
    def shift_s(self) -> int:
        return self.earlier.shift_s

    @property
    def before(self) -> str:
        return self.earlier.words

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
    given = {name: asked[name] for name in ("from", "to") if asked.get(name)}
    moments = {name: _moment(text) for name, text in given.items()}
    if None in moments.values():
        return _usual(USUAL, asked, now=now, problem=f"A moment is written as 2026-11-20T03:12, in UTC; {INSTEAD}")
    if not given:
        key = asked.get("range", USUAL)
        problem = "" if key in RANGES else f"There is no such range; {INSTEAD}"
        return _usual(key if key in RANGES else USUAL, asked, now=now, problem=problem)
    end = min(moments.get("to") or now, now)
    begin = moments.get("from") or end - timedelta(seconds=DAY_S)
    if not SHORTEST_S <= (end - begin).total_seconds() <= LONGEST_S:
        problem = f"From has to be before to, by a minute at least and 400 days at most; {INSTEAD}"
        return _usual(USUAL, asked, now=now, problem=problem)
    return _compared(Span(key="", begin=begin, end=end, compare=""), asked)


def _usual(key: str, asked: Mapping[str, str], *, now: datetime, problem: str) -> Span:
    begin = now - timedelta(seconds=RANGES[key][0])
    return _compared(Span(key=key, begin=begin, end=now, compare="", problem=problem), asked)


def _compared(span: Span, asked: Mapping[str, str]) -> Span:
    compare = asked.get("compare", "")
    if compare not in {each.key for each in span.choices}:
        return span
    return Span(key=span.key, begin=span.begin, end=span.end, compare=compare, problem=span.problem)


def _moment(text: str) -> datetime | None:
    """None for what is no moment of this age. A zone that is given counts; without one it is UTC."""
    try:
        at = datetime.fromisoformat(text[:32])
        return (at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)) if at.year >= 1970 else None
    except (ValueError, OverflowError):
        return None

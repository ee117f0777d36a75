"""What the figures mean, in a sentence: the headings of the pages, and the remarks on their rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from apps.engine import units
from apps.slow_queries.reads.slowlog import Group, SlowLog
from apps.slow_queries.reads.statements import Order, StatementFigures, StatementRow, Statements

LARGE_SHARE = 0.2
ENOUGH_CALLS = 20
SLOW_MEAN_S = 0.2
VERY_SLOW_MEAN_S = 0.5
MANY_ROWS = 1_000
OFTEN_SHARE = 0.02
OFTEN_CALLS = 10_000
FEW_HITS = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A tag on a row: `kind` is "" info warn crit, `why` the sentence behind it."""

    word: str
    kind: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a bar in percent of its width."""

    start: str
    width: str
    kind: str


def slow_log_heading(log: SlowLog, groups: tuple[Group, ...]) -> str:
    if not groups:
        is_off = log.settings is not None and (log.settings.threshold_us < 0 or log.settings.most_entries == 0)
        return "The slow log is off" if is_off else "No command was slow"
    worst, entries = groups[0], len(log.entries)
    span = units.duration_text(max(log.span_s, 1.0))
    if entries == 1:
        return f"One slow command, {span} ago: {worst.shape.name}"
    return f"{entries:,} slow commands in {span}; {worst.shape.name} takes {units.share(worst.share_ratio)} % of their time"


def statements_heading(found: Statements, order: Order) -> str:
    if not found.rows:
        return "No statement was counted yet"
    first = found.rows[0]
    if order is Order.MEAN:
        return f"The slowest statement takes {units.duration_text(first.mean_s or 0)} a call"
    if order is Order.CALLS:
        return f"The most frequent statement was called {first.calls_count:,} times"
    if first.share_ratio >= LARGE_SHARE:
        return f"One statement takes {units.share(first.share_ratio)} % of all time"
    return f"No statement takes more than {units.share(first.share_ratio)} % of all time"


def statement_heading(rows: Sequence[StatementRow]) -> str:
    if not rows:
        return "This statement cannot be told"
    calls, total_s = sum(row.calls_count for row in rows), sum(row.run_s + row.plan_s for row in rows)
    return f"{'One call' if calls == 1 else f'{calls:,} calls'} took {units.duration_text(total_s)}"


def each(average: float) -> str:
    """An average with a decimal unless it is whole: 1,204.5, 3."""
    return f"{average:,.0f}" if average == int(average) else f"{average:,.1f}"


def edge(row: StatementFigures) -> str:
    """ "crit" or "warn" for a row that is slow on average often enough to matter, else ""."""
    if row.mean_s is None or row.calls_count < ENOUGH_CALLS or row.mean_s < SLOW_MEAN_S:
        return ""
    return "crit" if row.mean_s >= VERY_SLOW_MEAN_S else "warn"


def remarks(row: StatementFigures) -> tuple[Remark, ...]:
    """What stands out in one row of statement statistics, the worst first."""
    found = (_spills(row), _unbounded(row), _often(row), _misses(row))
    return tuple(remark for remark in found if remark)


def _spills(row: StatementFigures) -> Remark | None:
    if not row.temp_bytes:
        return None
    each = " ".join(units.disk(row.temp_bytes / max(row.calls_count, 1)))
    return Remark(
        word="spills", kind="warn", why=f"Sorts or hashes went to disk, {each} a call: more work_mem would help."
    )


def _unbounded(row: StatementFigures) -> Remark | None:
    if (
        row.rows_per_call < MANY_ROWS
        or "LIMIT" in row.text.upper()
        or not row.text.lstrip().upper().startswith("SELECT")
    ):
        return None
    return Remark(word="unbounded", kind="", why=f"{row.rows_per_call:,.0f} rows a call, and no LIMIT.")


def _often(row: StatementFigures) -> Remark | None:
    """One short statement called extremely often: the shape of a query in a loop."""
    is_short = row.mean_s is not None and row.mean_s < 0.002 and row.rows_per_call <= 1.5
    if not is_short or row.calls_count < OFTEN_CALLS or row.share_ratio < OFTEN_SHARE:
        return None
    return Remark(
        word="N + 1?", kind="", why="Short, and called extremely often: perhaps one call for each row of another."
    )


def _misses(row: StatementFigures) -> Remark | None:
    if row.hit_ratio is None or row.hit_ratio >= FEW_HITS or row.read_blocks < 1_000:
        return None
    return Remark(word="reads", kind="", why=f"Only {units.share(row.hit_ratio)} % of its blocks were in memory.")


_KINDS = ("crit", "warn", "s1", "s3", "s4", "s5")


def band(shares: Iterable[float]) -> tuple[Segment, ...]:
    """The six largest shares as segments of one bar; the rest stays the bar's ground."""
    made: list[Segment] = []
    start = 0.0
    for kind, share in zip(_KINDS, sorted(shares, reverse=True), strict=False):
        made.append(Segment(start=f"{start:.2f}%", width=f"{max(share * 100 - 0.25, 0):.2f}%", kind=kind))
        start += share * 100
    return tuple(made)

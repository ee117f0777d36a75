"""Sequences and how near each is to the end of its range."""

from __future__ import annotations

from dataclasses import dataclass

from apps.engine.connections.postgres import postgres_node
from apps.engine.files import sql_text
from apps.engine.target import Address, Target
from apps.upkeep.reads.folder import FOLDER
from apps.upkeep.reads.remark import bar_kind, safe_name

SEQUENCES_MOST = 200
WARN_RATIO, CRIT_RATIO = 0.75, 0.90


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """`last_value` is None when it was never used, or when it may not be read (then `is_readable` is false)."""

    schema: str
    name: str
    type: str
    last_value: int | None
    limit_value: int
    is_cycling: bool
    is_readable: bool
    column_name: str | None
    column_type: str | None

    @property
    def used_ratio(self) -> float | None:
        """Of the smaller of its own range and its column's; None where it does not apply or is not known."""
        if not self.is_readable:
            return None
        return max(0.0, (self.last_value or 0) / self.limit_value) if self.limit_value else None

    @property
    def signal(self) -> str:
        if not self.is_readable:
            return "unknown"
        ratio = self.used_ratio or 0
        if self.is_cycling or ratio < WARN_RATIO:
            return "ok"
        return "crit" if ratio >= CRIT_RATIO else "warn"

    @property
    def column_text(self) -> str:
        """The column it fills, with its type; "" where it belongs to none."""
        return safe_name(f"{self.column_name}, {self.column_type}") if self.column_name else ""

    @property
    def bar_kind(self) -> str:
        return bar_kind(self.signal)

    @property
    def left_count(self) -> int | None:
        return abs(self.limit_value - (self.last_value or 0)) if self.is_readable else None


def sequences(target: Target, *, database: str, address: Address | None = None) -> tuple[Sequence, ...]:
    """The sequences of a database, the fullest first.

    Shape: at most 200. Units: values. Cost: opens each sequence for an instant.
    Errors: those of postgres_node; Busy when one is being altered. Source: pg_sequence, pg_depend.
    """
    with postgres_node(target, address=address, database=database) as node:
        found = node.records(Sequence, sql_text(FOLDER, "sequences", major=node.version), {"most": SEQUENCES_MOST})
    return tuple(sorted(found, key=lambda s: (-(s.used_ratio or 0), s.signal != "unknown")))

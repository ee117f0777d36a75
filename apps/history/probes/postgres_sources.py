"""Who is connected to a PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping

from apps.engine.contracts.probe import Probe, Value, bare
from apps.engine.target import Kind, Target
from apps.history.answers import answers
from apps.history.remembered import REMEMBERED

FIGURES = ("clients_by_application_count", "clients_by_user_count")
MOST_SOURCES = 20
MOST_ROWS = 200  # of each, as the statement says


def read(target: Target) -> Mapping[str, Value]:
    """Shape: connections by application (the 20 largest) and by user (the 20 largest). Units: counts.

    Cost: one statement, below 1 ms at 200 sessions. Errors: those of postgres_node. Source: pg_stat_activity. Without
    pg_read_all_stats by user only.
    """
    seen = answers(target, "sources")
    return {name: value for figure in FIGURES for name, value in _counted(target, figure, seen).items()}


def _counted(target: Target, figure: str, seen: Mapping[str, Value]) -> dict[str, Value]:
    """Nobody at all is nobody who may be seen: this session is there."""
    there = sum(bare(name) == figure for name in seen)
    return REMEMBERED.counted(target, figure, seen, most=MOST_SOURCES, complete=there < MOST_ROWS) if there else {}


PROBE = Probe(
    key="postgres_sources",
    kind=Kind.POSTGRES,
    read=read,
    cost="one statement, below 1 ms",
    every_s=30.0,
    essential=False,
)

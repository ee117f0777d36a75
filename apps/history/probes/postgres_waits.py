"""What the sessions of a PostgreSQL that work now wait for."""

from __future__ import annotations

from collections.abc import Mapping

from apps.engine.contracts.probe import Probe, Value, bare
from apps.engine.target import Kind, Target
from apps.history.answers import answers
from apps.history.remembered import REMEMBERED

EVENTS = "sessions_waiting_count"
MOST_EVENTS = 40
MOST_ROWS = 200  # as the statement says


def read(target: Target) -> Mapping[str, Value]:
    """Shape: working sessions by class of wait event, and by event (the 40 commonest). Units: counts.

    Cost: one statement, below 1 ms at 200 sessions. Errors: those of postgres_node. Source: pg_stat_activity, one look a
    sample. Nothing without pg_read_all_stats.
    """
    seen = answers(target, "waits")
    classes = {name: value for name, value in seen.items() if bare(name) != EVENTS}
    if not classes:
        return {}
    complete = len(seen) - len(classes) < MOST_ROWS
    return {**classes, **REMEMBERED.counted(target, EVENTS, seen, most=MOST_EVENTS, complete=complete)}


PROBE = Probe(
    key="postgres_waits",
    kind=Kind.POSTGRES,
    read=read,
    cost="one statement, below 1 ms",
    essential=False,
)

"""Vacuums of a PostgreSQL, and what they have to hurry for."""

from __future__ import annotations

from collections.abc import Mapping

from apps.engine.contracts.probe import Probe, Value
from apps.engine.target import Kind, Target
from apps.history.answers import answers


def read(target: Target) -> Mapping[str, Value]:
    """Shape: vacuums that run, the age of the oldest transaction still needed, ages of the 50 oldest databases. Units: counts.

    Cost: two statements, a row a session and a database. Errors: those of postgres_node. Source: pg_stat_progress_vacuum, pg_stat_activity,
    pg_replication_slots, pg_prepared_xacts, pg_database.
    """
    return answers(target, "vacuum", "ages")


PROBE = Probe(
    key="postgres_vacuum",
    kind=Kind.POSTGRES,
    read=read,
    cost="two statements, below 2 ms",
    every_s=60.0,
    essential=False,
)

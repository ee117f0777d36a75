"""How far the standbys of a PostgreSQL are behind, and what its slots keep."""

from __future__ import annotations

from collections.abc import Mapping

from apps.engine.contracts.probe import Probe, Value
from apps.engine.target import Kind, Target
from apps.history.answers import answers


def read(target: Target) -> Mapping[str, Value]:
    """Shape: bytes and seconds behind by standby (the 50 furthest); slots, and the WAL kept by each (the 50 largest).

    Cost: two statements, a row a standby and a slot. Errors: those of postgres_node. Source: pg_stat_replication,
    pg_replication_slots. Without pg_read_all_stats standbys are not told.
    """
    return answers(target, "replicas", "slots")


PROBE = Probe(
    key="postgres_replication",
    kind=Kind.POSTGRES,
    read=read,
    cost="two statements, below 1 ms",
    essential=False,
)

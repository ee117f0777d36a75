"""The write-ahead log of a PostgreSQL node: how fast it grows, and whether it is archived."""

from __future__ import annotations

from collections.abc import Mapping

from apps.engine.contracts.probe import Probe, Value
from apps.engine.target import Kind, Target
from apps.history.answers import answers


def read(target: Target) -> Mapping[str, Value]:
    """Shape: WAL written, or received by a replica; what was archived and what failed. Units: bytes, counts, seconds.

    Cost: one statement, no table is read. Errors: those of postgres_node. Source: pg_current_wal_lsn, pg_last_wal_receive_lsn,
    pg_stat_archiver.
    """
    return answers(target, "wal")


PROBE = Probe(
    key="postgres_wal",
    kind=Kind.POSTGRES,
    read=read,
    cost="one statement, below 1 ms",
    per_node=True,
    identity="run",
    rates={
        "wal_bytes_per_s": "wal_total_bytes",
        "archived_per_s": "archived_total",
        "archive_failures_per_s": "archive_failures_total",
    },
    essential=False,
)

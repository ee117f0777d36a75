"""What the processes of a PostgreSQL read and write, and how long they wait for it."""

from __future__ import annotations

from collections.abc import Mapping

from apps.engine.contracts.probe import Probe, Value
from apps.engine.target import Kind, Target
from apps.history.answers import answers


def read(target: Target) -> Mapping[str, Value]:
    """Shape: bytes read, written and extended, of all and (from 16 on) by kind of process; time waited. Units: bytes, seconds.

    Cost: one statement, some 40 rows. Errors: those of postgres_node. Source: pg_stat_io from 16 on, pg_stat_database before.
    Times need track_io_timing.
    """
    return answers(target, "io")


PROBE = Probe(
    key="postgres_io",
    kind=Kind.POSTGRES,
    read=read,
    cost="one statement, below 1 ms",
    identity="run",
    rates={
        "io_read_bytes_per_s": "io_read_total_bytes",
        "io_write_bytes_per_s": "io_write_total_bytes",
        "io_extend_bytes_per_s": "io_extend_total_bytes",
        "io_fsync_per_s": "io_fsync_total",
        "io_read_ratio": "io_read_total_s",
        "io_write_ratio": "io_write_total_s",
    },
    essential=False,
)

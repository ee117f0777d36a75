"""Checkpoints and the background writer of a PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping

from apps.engine.contracts.probe import Probe, Value
from apps.engine.target import Kind, Target
from apps.history.answers import answers


def read(target: Target) -> Mapping[str, Value]:
    """Shape: checkpoints, the time they took, and buffers by who wrote them. Units: counts, seconds.

    Cost: one statement, one row. Errors: those of postgres_node. Source: pg_stat_bgwriter, from 17 on with
    pg_stat_checkpointer. The time of a checkpoint is counted when it ends: its share can be far above 1 in one sample.
    """
    return answers(target, "writer")


PROBE = Probe(
    key="postgres_writer",
    kind=Kind.POSTGRES,
    read=read,
    cost="one statement, below 1 ms",
    every_s=60.0,
    identity="run",
    rates={
        "checkpoints_timed_per_s": "checkpoints_timed_total",
        "checkpoints_requested_per_s": "checkpoints_requested_total",
        "checkpoint_write_ratio": "checkpoint_write_total_s",
        "checkpoint_sync_ratio": "checkpoint_sync_total_s",
        "buffers_checkpoint_per_s": "buffers_checkpoint_total",
        "buffers_cleaned_per_s": "buffers_cleaned_total",
        "buffers_backend_per_s": "buffers_backend_total",
        "buffers_allocated_per_s": "buffers_allocated_total",
        "cleaning_stopped_per_s": "cleaning_stopped_total",
    },
    essential=False,
)

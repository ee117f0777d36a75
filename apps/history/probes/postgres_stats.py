"""The figures of one PostgreSQL node: who it is (and how long the answer took), then its load."""

from __future__ import annotations

import time
from collections.abc import Mapping

from apps.engine.connections.postgres import postgres_node
from apps.engine.contracts.probe import Probe, Value
from apps.engine.target import Kind, Target
from apps.history.answers import told


def read(target: Target) -> Mapping[str, Value]:
    """Shape: who the node is, its connections, transactions, rows, waits and replicas. Units: in the names.

    Cost: two statements, 1 to 3 ms. Errors: those of postgres_node. Source: settings, pg_stat_database, pg_stat_activity,
    pg_locks, pg_stat_replication, pg_stat_archiver, pg_database. Without pg_read_all_stats the states of connections, the age
    of transactions and the lag of replicas are not known.
    """
    with postgres_node(target) as node:
        begun = time.perf_counter()
        about = told(node, "about")
        latency_s = time.perf_counter() - begun
        load = told(node, "load")
    return {"product": "PostgreSQL", "latency_s": latency_s, **about, **load}


PROBE = Probe(
    key="postgres_stats",
    kind=Kind.POSTGRES,
    read=read,
    cost="two statements, 1 to 3 ms",
    per_node=True,
    identity="counted_since",
    rates={
        "tx_per_s": "transactions_total",
        "rollbacks_per_s": "rollbacks_total",
        "deadlocks_per_s": "deadlocks_total",
        "temp_bytes_per_s": "temp_total_bytes",
        "rows_returned_per_s": "rows_returned_total",
        "rows_fetched_per_s": "rows_fetched_total",
        "rows_inserted_per_s": "rows_inserted_total",
        "rows_updated_per_s": "rows_updated_total",
        "rows_deleted_per_s": "rows_deleted_total",
    },
    shares={"hit_ratio": ("blocks_hit_total", "blocks_read_total")},
)

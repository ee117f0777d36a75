"""The figures of one PostgreSQL node: who it is (and how long the answer took), then its load."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from apps.engine.connections.postgres import postgres_node
from apps.engine.contracts.probe import Probe, Value
from apps.engine.files import sql_text
from apps.engine.target import Kind, Target

SQL = Path(__file__).resolve().parent.parent / "sql"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    version: str
    role: str
    run: str
    up_s: float
    clients_max_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    clients_count: int
    transactions_total: float
    blocks_hit_total: float
    blocks_read_total: float
    longest_transaction_s: float | None
    waiting_count: int
    longest_wait_s: float | None
    connected_replicas_count: int
    replica_lag_s: float | None
    transaction_age_count: float
    archive_status: str | None


def read(target: Target) -> Mapping[str, Value]:
    """Shape: figures of apps.history.models.LastKnown. Units: in the names. Cost: two statements, 1 to 3 ms.

    Errors: those of postgres_node. Source: settings, pg_stat_database, pg_stat_activity, pg_locks, pg_stat_replication,
    pg_stat_archiver, pg_database. Without pg_read_all_stats the age of transactions and the lag of replicas are not known.
    """
    with postgres_node(target) as node:
        begun = time.perf_counter()
        about = node.records(About, sql_text(SQL, "about", major=node.version))[0]
        latency_s = time.perf_counter() - begun
        load = node.records(Load, sql_text(SQL, "load", major=node.version))[0]
    return {"product": "PostgreSQL", "latency_s": latency_s, **asdict(about), **asdict(load)}


PROBE = Probe(
    key="postgres_stats",
    kind=Kind.POSTGRES,
    read=read,
    cost="two statements, 1 to 3 ms",
    identity="run",
    rates={"tx_per_s": "transactions_total"},
    shares={"hit_ratio": ("blocks_hit_total", "blocks_read_total")},
)

"""What a PostgreSQL says it is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from apps.engine.connections.postgres import PostgresNode, postgres_node
from apps.engine.files import sql_text
from apps.engine.target import Target
from apps.servers.reads.records import Identity, Node

SQL = Path(__file__).resolve().parent.parent / "sql"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    is_standby: bool
    behind_s: float | None
    size_bytes: int
    started_at: datetime
    standbys_count: int
    tls_version: str
    account: str
    is_superuser: bool
    database: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standby:
    name: str
    address: str
    state: str
    sync_state: str
    behind_bytes: Decimal | None
    lag_s: float | None


def identify(target: Target, *, fresh: bool) -> Identity:
    """See identity.identify."""
    with postgres_node(target, fresh=fresh) as node:
        begun = time.monotonic()
        facts = node.records(_Facts, sql_text(SQL, "identity", major=node.version))[0]
        took_s = time.monotonic() - begun
        standbys = _standbys(node) if facts.standbys_count else ()
        return _identity(node, target, facts, standbys, round_trip_s=took_s)


def _standbys(node: PostgresNode) -> tuple[Node, ...]:
    return tuple(
        Node(
            name=each.name if not each.address else f"{each.name} at {each.address}",
            role=f"standby, {each.sync_state}" if each.sync_state else "standby",
            state=each.state or "untold",
            is_well=each.state == "streaming",
            behind_bytes=int(each.behind_bytes) if each.behind_bytes is not None else None,
            lag_s=each.lag_s,
        )
        for each in node.records(_Standby, sql_text(SQL, "standbys", major=node.version))
    )


def _identity(
    node: PostgresNode, target: Target, facts: _Facts, standbys: tuple[Node, ...], *, round_trip_s: float
) -> Identity:
    return Identity(
        address=target.address,
        product="PostgreSQL",
        version=node.version_text.split()[0],
        major=(node.version, 0),
        role="standby" if facts.is_standby else "primary",
        mode="standalone",
        account=facts.account,
        tls_version=facts.tls_version,
        round_trip_s=round_trip_s,
        up_s=(datetime.now(UTC) - facts.started_at).total_seconds(),
        replicas_count=facts.standbys_count,
        size_bytes=facts.size_bytes,
        database=facts.database,
        is_superuser=facts.is_superuser,
        behind_s=facts.behind_s,
        nodes=standbys,
        note="The account is a superuser: give it the grants it needs instead." if facts.is_superuser else "",
    )

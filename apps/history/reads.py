"""What the console knows of its servers without asking them: read from its own data, so a page is quick when a server hangs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.access import operator_of
from apps.accounts.models import Operator
from apps.accounts.rows import rows
from apps.history.models import LastKnown
from apps.history.verdict import NOT_LATELY, NOT_YET, SIGNALS, WELL, Finding, failure, findings, is_stale
from apps.servers.access import allowed_among, known_servers
from apps.servers.models import Server

POLICIES = ("prod", "staging", "dev")
# What the sampler keeps for itself (raw) is larger than all the rest, and the load of the last hour is for the overview.
SHOWN = (
    "SELECT id, server_id, tried_at, figures, figures_at, failing_since, failed_count, error_kind, error_text, since,"
    " forecasts FROM history_lastknown"
)

__all__ = ["SIGNALS", "ServerState", "fleet", "fleet_seen_by", "last_known", "state_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """One server as the frame and the overview show it. `signal` and `reason` are shape and words of the worst finding."""

    server: Server
    signal: str
    reason: str
    also: tuple[Finding, ...]
    figures: Mapping[str, Any]
    figures_at: datetime | None
    tried_at: datetime | None
    failing_since: datetime | None
    error_text: str
    failed_count: int
    up_since: datetime | None

    @property
    def rank(self) -> int:
        return SIGNALS.index(self.signal)

    @property
    def failing(self) -> bool:
        """The last try to read it failed: figures are the last known."""
        return self.failing_since is not None

    @property
    def stale(self) -> bool:
        return self.failing or self.figures_at is None or self.reason == NOT_LATELY.reason

    @property
    def needs_a_look(self) -> bool:
        return self.signal in ("crit", "warn")

    @property
    def title(self) -> str:
        """PostgreSQL 15.4 replica, or only the kind while nothing was seen."""
        product = self.figures.get("product") or ("Redis" if self.server.is_redis else "PostgreSQL")
        return " ".join(str(w) for w in (product, self.figures.get("version"), self.figures.get("role")) if w)

    @property
    def used_bytes(self) -> float | None:
        """Memory of a Redis, data of a PostgreSQL."""
        return self.figures.get("used_memory_bytes" if self.server.is_redis else "size_bytes")

    @property
    def room_bytes(self) -> float | None:
        """maxmemory of a Redis, the disk figure of a PostgreSQL as registered; None without a limit."""
        return (self.figures.get("maxmemory_bytes") if self.server.is_redis else self.server.disk_bytes) or None

    @property
    def full_ratio(self) -> float | None:
        return None if self.used_bytes is None or not self.room_bytes else self.used_bytes / self.room_bytes

    @property
    def load_per_s(self) -> float | None:
        return self.figures.get("ops_per_s" if self.server.is_redis else "tx_per_s")


def last_known(server: Server) -> LastKnown:
    """What is kept of one server; an empty row while nothing is. Cost: one query."""
    return LastKnown.objects.filter(server=server).first() or LastKnown(server=server)


def state_of(server: Server, known: LastKnown | None = None) -> ServerState:
    """The state of one server. Cost: one query, none where the caller has what is `known`."""
    return _state(server, known or last_known(server))


def fleet(operator: Operator) -> list[ServerState]:
    """Every server in the operator's scope, worst first. Cost: two queries, and one for assignments, whatever the number of servers.

    These servers are to be shown, not to be asked: their credentials are not read.
    """
    return _fleet(operator, Server.objects.to_show())


def _fleet(operator: Operator, servers: list[Server]) -> list[ServerState]:
    last_known = {row.server_id: row for row in rows(LastKnown, SHOWN)}
    mine = allowed_among(servers, operator)
    return sorted((_state(server, last_known.get(server.pk)) for server in mine), key=_worst_first)


def fleet_seen_by(request: HttpRequest) -> list[ServerState]:
    """The fleet of who is signed in. Cost: that of `fleet`, once a request: the frame and a page about the fleet share it."""
    kept: list[ServerState] | None = getattr(request, "_fleet", None)
    if kept is None:
        kept = _fleet(operator_of(request), known_servers(request))
        request._fleet = kept  # type: ignore[attr-defined]
    return kept


def _worst_first(state: ServerState) -> tuple[int, int, str]:
    """Among equals production comes first, then by name."""
    return state.rank, POLICIES.index(state.server.place.policy), state.server.key


def _state(server: Server, row: LastKnown | None) -> ServerState:
    row = row or LastKnown(server=server)
    worst, *also = _found(server, row, timezone.now())
    return ServerState(
        server=server,
        signal=worst.signal,
        reason=worst.reason,
        also=tuple(also),
        figures=row.figures,
        figures_at=row.figures_at,
        tried_at=row.tried_at,
        failing_since=row.failing_since,
        error_text=row.error_text,
        failed_count=row.failed_count,
        up_since=row.since,
    )


def _found(server: Server, row: LastKnown, now: datetime) -> list[Finding]:
    """The findings of a row, worst first, at least one. A silent sampler outweighs what was known: it is not known any more."""
    if row.tried_at is None:
        return [NOT_YET]
    if is_stale(row.tried_at, now=now, every_s=settings.SAMPLE_EVERY_S):
        return [NOT_LATELY]
    if row.failing_since is not None:
        return [failure(row.error_kind)]
    if row.figures_at is None:
        return [NOT_YET]
    if is_stale(row.figures_at, now=now, every_s=settings.SAMPLE_EVERY_S):
        return [NOT_LATELY]
    return findings({**row.figures, "forecasts": row.forecasts}, disk_bytes=server.disk_bytes) or [WELL]

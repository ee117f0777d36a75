"""What the console knows of its servers without asking them: read from its own data, so a page is quick when a server hangs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from apps.accounts.models import Operator
from apps.history.models import LastKnown
from apps.servers.access import visible_servers
from apps.servers.models import Server

SIGNALS = ("down", "crit", "warn", "unknown", "info", "ok")  # worst first


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """One server as the frame and the overview show it. `signal` and `reason` are shape and words of the verdict."""

    server: Server
    signal: str
    reason: str
    figures: Mapping[str, Any]
    figures_at: datetime | None
    failing_since: datetime | None
    error_text: str
    failed_count: int

    @property
    def rank(self) -> int:
        return SIGNALS.index(self.signal)

    @property
    def stale(self) -> bool:
        return self.signal == "down" or self.figures_at is None


def state_of(server: Server) -> ServerState:
    """The state of one server. Cost: one query."""
    return _state(server, LastKnown.objects.filter(server=server).first())


def fleet(operator: Operator) -> list[ServerState]:
    """Every server in the operator's scope, worst first, then by name. Cost: three queries."""
    servers = visible_servers(operator)
    known = {row.server_id: row for row in LastKnown.objects.filter(server__in=servers)}
    return sorted((_state(s, known.get(s.pk)) for s in servers), key=lambda s: (s.rank, s.server.key))


def _state(server: Server, row: LastKnown | None) -> ServerState:
    signal, reason = _verdict(row)
    return ServerState(
        server=server,
        signal=signal,
        reason=reason,
        figures=row.figures if row else {},
        figures_at=row.figures_at if row else None,
        failing_since=row.failing_since if row else None,
        error_text=row.error_text if row else "",
        failed_count=row.failed_count if row else 0,
    )


def _verdict(row: LastKnown | None) -> tuple[str, str]:
    if row is None or row.tried_at is None:
        return "unknown", "not looked at yet"
    if row.failing_since is not None:
        return "down", "cannot be reached"
    if (timezone.now() - row.tried_at).total_seconds() > 120:
        return "unknown", "not sampled lately"
    return "ok", "well"

"""Servers with a past, written through the console's own storage."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from django.utils import timezone

from apps.history.models import LastKnown, Mark
from apps.servers.models import Server
from tests.history.filled import fill, gather

HOUR_S, DAY_S = 3600, 86_400
GIB = 2**30
Figure = Callable[[int], float | None]


def daily(low: float, high: float) -> Figure:
    """A load that rises and falls with the day."""
    return lambda at_s: low + (high - low) * (0.5 - 0.5 * math.cos(at_s / DAY_S * 2 * math.pi))


def constant(value: float) -> Figure:
    return lambda at_s: value


REDIS: dict[str, Figure] = {
    "used_memory_bytes": lambda at_s: 21.9 * GIB + (at_s - time.time()) * 0.9 * GIB / DAY_S,
    "ops_per_s": daily(16_000, 31_000),
    "hit_ratio": constant(0.95),
    "clients_count": daily(180, 250),
    "latency_s": lambda at_s: 0.0012 + 0.0008 * math.sin(at_s / 700) ** 2,
    "evicted_per_s": constant(0.0),
}
POSTGRES: dict[str, Figure] = {
    "clients_count": daily(120, 150),
    "tx_per_s": daily(900, 1500),
    "hit_ratio": constant(0.993),
    "replica_lag_s": lambda at_s: 0.8 + 0.4 * math.sin(at_s / 300),
    "longest_transaction_s": lambda at_s: 20 + 15 * math.sin(at_s / 900),
}


def server(key: str = "orders-cache", kind: str = "redis", environment: str = "prod", **fields: Any) -> Server:
    addresses = fields.pop("addresses", [{"host": "127.0.0.1", "port": 1}])
    return Server.objects.create(key=key, kind=kind, environment=environment, addresses=addresses, **fields)


def sampled(one: Server, **figures: Any) -> LastKnown:
    """What the sampler leaves in the row of a server that answers."""
    now = timezone.now()
    known = {"product": "Redis" if one.is_redis else "PostgreSQL", "version": "7.4.1", "role": "primary", **figures}
    raw = {"": {"redis_info" if one.is_redis else "postgres_stats": {"at_s": now.timestamp(), "figures": known}}}
    plain = {name: value for name, value in known.items() if "[" not in name}
    return LastKnown.objects.create(server=one, tried_at=now, figures_at=now, figures=plain, raw=raw)


def past(
    one: Server, *, days: float = 1, step_s: int = 60, but: dict[str, Figure] | None = None, until_s: int | None = None
) -> None:
    """Samples up to now, or up to a moment, rolled up as they would be, whatever was rolled up before."""
    now_s = int(time.time())
    figures = {**(REDIS if one.is_redis else POSTGRES), **(but or {})}
    end_s = now_s if until_s is None else until_s
    probe = "redis_info" if one.is_redis else "postgres_stats"
    fill(one, probe, figures, begin_s=int(end_s - days * DAY_S), end_s=end_s, step_s=step_s)
    Mark.objects.all().delete()
    gather(now_s=now_s)

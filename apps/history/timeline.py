"""What happened, on one timeline: noted by who sees it, read by pages and charts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from apps.history.models import Event
from apps.servers.models import Server

SLICE = 1000


def note(
    kind: str,
    words: str,
    *,
    server: Server | None = None,
    environment: str = "",
    node: str = "",
    at: datetime | None = None,
    ended_at: datetime | None = None,
    signal: str = "",
    key: str = "",
    url: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write an event; one with a key that is there already changes nothing. Cost: one INSERT.

    Errors: ValueError for a kind that is none.
    """
    if kind not in Event.KINDS:
        raise ValueError(f"{kind} is no kind of event")
    event = Event(
        kind=kind,
        words=words[:400],
        server=server,
        environment=environment or (server.environment if server else ""),
        node=node,
        at=at or timezone.now(),
        ended_at=ended_at,
        signal=signal,
        key=key[:160],
        url=url[:400],
        detail=dict(detail or {}),
    )
    Event.objects.bulk_create([event], ignore_conflicts=True)


def ended(key: str, *, at: datetime | None = None) -> None:
    """What lasted under this key is over. Cost: one UPDATE."""
    Event.objects.filter(key=key, ended_at=None).update(ended_at=at or timezone.now())


def events(
    servers: Iterable[Server], *, begin: datetime, end: datetime, kinds: Iterable[str] = (), limit: int = 100
) -> list[Event]:
    """Events of these servers and marks of their environments, newest first. Cost: one query, at most `limit` rows."""
    mine = list(servers)
    here = Event.objects.filter(at__gte=begin, at__lt=end).filter(_of(mine))
    chosen = set(kinds)
    return list((here.filter(kind__in=chosen) if chosen else here).select_related("server")[:limit])


def _of(servers: list[Server]) -> Q:
    environments = {server.environment for server in servers}
    return Q(server__in=servers) | Q(server=None, environment__in=environments)


def forget(before: datetime) -> int:
    """Delete what is older, a slice of 1,000 at a time. Returns how many."""
    gone = 0
    while pks := list(Event.objects.filter(at__lt=before).order_by("at").values_list("pk", flat=True)[:SLICE]):
        gone += Event.objects.filter(pk__in=pks).delete()[0]
    return gone

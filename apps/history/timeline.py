"""What happened, on one line of time: noted once, ended when it ends, read within a scope, forgotten when it is old."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Concat, Left
from django.utils import timezone

from apps.engine.text import storable
from apps.history import drift
from apps.history.models import Event
from apps.history.noticing import FAILED, SILENT_S, Look, Noticed, Raw, noticed
from apps.servers.models import Server

log = structlog.get_logger(__name__)
# Kinds that last: without an end they go on. All others are moments.
LASTING = ("run", "finding", "down", "gap")
AGAIN_WITHIN = timedelta(minutes=5)  # what begins again so soon after its end did not end
LONGEST_WORDS = 400
SLICE = 1000
KEPT_FOR = timedelta(days=400)

__all__ = ["LASTING", "Sight", "after_sample", "ended", "events", "forget", "note", "seen_by"]


# -- write --------------------------------------------------------------------------------------------------------------


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
        words=storable(words)[:LONGEST_WORDS],
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


def ended(key: str, *, at: datetime | None = None, signal: str = "", more: str = "") -> None:
    """What lasted under this key is over; `more` is added to its words. Cost: one UPDATE."""
    came: dict[str, Any] = {"signal": signal} if signal else {}
    if more:
        came["words"] = Left(Concat("words", Value(f": {more}")), LONGEST_WORDS)
    Event.objects.filter(key=key, ended_at=None).update(ended_at=at or timezone.now(), **came)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One look at a server: when it was tried, what each node gave (by node, "" is the first), or why it gave nothing."""

    at: datetime
    raw: Mapping[str, Raw] = field(default_factory=dict)
    error_kind: str = ""


def after_sample(server: Server, *, before: Sight, now: Sight) -> None:
    """Note what happened between two looks at a server, and keep what it is set to. A look that failed has no `raw`.

    Call it in the transaction that writes the look down. Cost: no query when nothing happened; else two or three an event.
    Errors: none: what a server tells must not keep the others from being looked at, so a fault of ours is logged.
    """
    for node in now.raw or ("",):
        try:
            _after(server, node, _look(before, node) or Look(at=now.at), _look(now, node) or Look(at=now.at))
        except Exception:
            log.exception("could not tell what happened", server=server.key, node=node)


def _look(seen: Sight, node: str) -> Look | None:
    """One node of a look. Of the others than the first, a part in the place of all probes tells that they did not answer."""
    raw = seen.raw.get(node)
    if node == "":
        return Look(at=seen.at, raw=raw or {}, error_kind=seen.error_kind)
    if raw is None:
        return None
    return Look(at=seen.at, raw=raw, error_kind=raw.get(FAILED, {}).get("kind", ""))


def _after(server: Server, node: str, before: Look, now: Look) -> None:
    silent_s = inf if node else max(SILENT_S, 6.0 * settings.SAMPLE_EVERY_S)  # one gap a server
    news = noticed(before, now, disk_bytes=server.disk_bytes, silent_s=silent_s)
    moved = [] if now.error_kind else drift.moved(before.raw, now.raw)
    if not news and not moved:
        return
    with transaction.atomic():
        for one in news:
            _write(server, node, one)
        for answer in moved:
            if change := drift.take(server, answer, node=node, after=before.at, at=now.at):
                note("setting", change.words, server=server, node=node, at=now.at, detail=change.detail)


def _write(server: Server, node: str, one: Noticed) -> None:
    if one.ends:
        _end(server, node, one)
    elif one.topic:
        _begin(server, node, one)
    else:
        key = one.key or f"{one.kind}:{server.pk}:{one.at.isoformat(timespec='seconds')}:{node}"
        about = {"server": None} if one.kind == "clock" else {"server": server, "node": node}
        note(
            one.kind, one.words, at=one.at, key=key, detail=one.detail, signal=one.signal, ended_at=one.ended_at, **about,
        )  # fmt: skip


def _begin(server: Server, node: str, one: Noticed) -> None:
    """A new event, or the one that goes on or ended just now: then it counts how often it came back."""
    recent = Q(ended_at=None) | Q(ended_at__gte=one.at - AGAIN_WITHIN)
    same = Event.objects.filter(recent, server=server, node=node, kind=one.kind)
    last = next((event for event in same if event.detail.get("topic") == one.topic), None)
    if last is None:
        detail = {"topic": one.topic, **one.detail}
        note(one.kind, one.words, server=server, node=node, at=one.at, signal=one.signal, detail=detail)
        return
    if last.ended_at is not None:
        last.detail["again_count"] = last.detail.get("again_count", 0) + 1
    last.ended_at, last.words, last.signal = None, one.words, one.signal
    last.save(update_fields=["ended_at", "words", "signal", "detail"])


def _end(server: Server, node: str, one: Noticed) -> None:
    open_ones = Event.objects.filter(server=server, node=node, kind=one.kind, ended_at=None)
    ended = [
        event.pk
        for event in open_ones
        if (event.detail.get("topic") == one.topic if one.topic else event.detail.get("topic") not in one.still)
    ]
    Event.objects.filter(pk__in=ended).update(ended_at=one.at)


def forget(before: datetime) -> int:
    """Delete what ended before a moment, 1,000 rows at a time. Returns how many. Cost: two short queries a slice."""
    old = Event.objects.filter(at__lt=before).exclude(kind__in=LASTING, ended_at=None).exclude(ended_at__gte=before)
    forgotten = 0
    while chosen := list(old.order_by().values_list("pk", flat=True)[:SLICE]):
        forgotten += Event.objects.filter(pk__in=chosen).delete()[0]
    return forgotten


# -- read ---------------------------------------------------------------------------------------------------------------


def seen_by(servers: Iterable[Server]) -> QuerySet[Event]:
    """The events of these servers, of their environments and of the console itself, newest first; none without a server."""
    mine = list(servers)
    if not mine:
        return Event.objects.none()
    wider = Q(server=None, environment__in={"", *(server.environment for server in mine)})
    return Event.objects.filter(Q(server__in=mine) | wider)


def events(
    servers: Iterable[Server], *, begin: datetime, end: datetime, kinds: Iterable[str] = (), limit: int = 100
) -> list[Event]:
    """What happened or went on between two moments, newest first. Cost: one query, at most `limit` rows."""
    found, chosen = between(seen_by(servers), begin, end), set(kinds)
    return list((found.filter(kind__in=chosen) if chosen else found).select_related("server")[:limit])


def between(found: QuerySet[Event], begin: datetime, end: datetime) -> QuerySet[Event]:
    goes_on = Q(kind__in=LASTING) & (Q(ended_at=None) | Q(ended_at__gte=begin))
    return found.filter(Q(at__gte=begin) | goes_on, at__lt=end)

"""The timeline: what happened to the servers in scope, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.accounts.access import console_page, operator_of
from apps.history import drift
from apps.history import timeline as kept
from apps.history.models import Event
from apps.monitoring.happened import KINDS, cursor, days, read_cursor, told
from apps.servers.access import allowed_among, known_servers
from apps.servers.fragments import part
from apps.servers.models import Server

PAGE = 100
HOURS: Mapping[str, tuple[float, str]] = {
    "1": (1, "an hour"), "24": (24, "24 hours"), "168": (168, "7 days"), "720": (720, "30 days"), "9600": (9600, "400 days"),
}  # fmt: skip
USUAL = "168"


@require_safe
@console_page("console.use")
def timeline(request: HttpRequest) -> HttpResponse:
    """Events of the servers in scope, filtered, a hundred a page. Cost: four queries beside the frame's, two more for one server."""
    filters = {name: request.GET.get(name, "")[:64] for name in ("kind", "server", "environment", "hours")}
    hours, words = HOURS.get(filters["hours"], HOURS[USUAL])
    mine = allowed_among(known_servers(request), operator_of(request))
    servers = _chosen(mine, filters)
    now = timezone.now()
    found = kept.between(kept.seen_by(servers), now - timedelta(hours=hours), now + timedelta(minutes=1))
    counts = dict(found.order_by().values_list("kind").annotate(Count("pk")))
    if filters["kind"] in KINDS:
        found = found.filter(kind=filters["kind"])
    page, after = _page(found, request.GET.get("before", ""))
    one = servers[0] if filters["server"] and servers else None
    context = {
        "days": days(page),
        "next": after,
        "is_first": not request.GET.get("before"),
        "told": told({kind: number for kind, number in counts.items() if filters["kind"] in ("", kind)}),
        "counts": [(kind, KINDS[kind][1], counts[kind]) for kind in KINDS if counts.get(kind)],
        "open_count": found.filter(kind__in=kept.LASTING, ended_at=None).exclude(kind="gap").count(),
        "range": words,
        "ranges": [(value, name) for value, (_, name) in HOURS.items()],
        "filters": {**filters, "hours": filters["hours"] if filters["hours"] in HOURS else USUAL},
        "mine": sorted(server.key for server in mine),
        "environments": sorted({server.environment for server in mine}),
        "one": one,
        **(_settings(one) if one else {}),
    }
    return render(request, part(request, "monitoring/timeline.html", "timeline"), context)


def _chosen(mine: list[Server], filters: Mapping[str, str]) -> list[Server]:
    """What is out of scope is not there."""
    wanted = [s for s in mine if filters["environment"] in ("", s.environment)]
    return [s for s in wanted if filters["server"] in ("", s.key)]


def _page(found: QuerySet[Event], before: str) -> tuple[list[Event], str]:
    """A page of events and where the next one begins, empty for none."""
    if place := read_cursor(before):
        at, number = place
        found = found.filter(Q(at__lt=at) | Q(at=at, pk__lt=number))
    events = list(found.select_related("server")[: PAGE + 1])
    return events[:PAGE], cursor(events[PAGE - 1]) if len(events) > PAGE else ""


def _settings(server: Server) -> dict[str, object]:
    known_count, first_at = drift.known_since(server)
    return {"changed": drift.changed_lately(server), "known_count": known_count, "known_at": first_at}

"""A server's own page, and the data of its charts. Both show what was seen: the server itself is not asked."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.history.reads import last_known, state_of
from apps.history.series import known_since
from apps.monitoring.charts import charts_of
from apps.monitoring.drawn import drawings
from apps.monitoring.heads import heads
from apps.monitoring.payload import payload
from apps.monitoring.server_page import marks_of, seen_of, sentence, topology
from apps.monitoring.spans import HOUR_S, RANGES, Span, chosen
from apps.monitoring.tables import table_of
from apps.monitoring.waits import waits_of
from apps.servers.access import server_page
from apps.servers.fragments import fragment
from apps.servers.models import Server
from apps.servers.show import rights_known

PAGE, REFRESHED = "monitoring/server.html", "monitoring/server_now.html"


@require_safe
@server_page("servers.view")
def server(request: HttpRequest, server: Server) -> HttpResponse:
    """How it is, how it was, what happened. With `?table=<chart>` that chart as a table as well."""
    refreshed = fragment(request) == "server-now"
    return render(request, REFRESHED if refreshed else PAGE, _page(request, server))


@require_safe
@server_page("servers.view")
def chart(request: HttpRequest, server: Server) -> JsonResponse:
    """The lines of the charts, for the page's script."""
    span, known = _span(request, server), last_known(server)
    figures = seen_of(server, known).present(state_of(server, known))
    drawn = drawings(server, charts_of(server, figures), span, figures)
    return JsonResponse(payload(drawn, marks_of(server, span), span))


def _span(request: HttpRequest, server: Server) -> Span:
    """What the address asks for; where it asks for nothing, a day, or an hour of a server that is not known for longer."""
    asked, now = request.GET.dict(), timezone.now()
    if not {"range", "from", "to"} & asked.keys():
        since_s = known_since(server)
        if since_s is not None and now.timestamp() - since_s < HOUR_S:
            asked["range"] = "1h"
    return chosen(asked, now=now)


def _page(request: HttpRequest, server: Server) -> dict[str, Any]:
    span, known = _span(request, server), last_known(server)
    state, seen = state_of(server, known), seen_of(server, known)
    figures = seen.present(state)
    drawn = drawings(server, charts_of(server, figures), span, figures)
    shown = heads(drawn, state, figures, span, seen.foretold)
    return {
        "server": server,
        "state": state,
        "span": span,
        "drawn": drawn,
        "heads": shown,
        "sentence": sentence(state, seen, shown, span),
        "topology": topology(state, seen),
        "nodes": seen.nodes,
        "waits": None if server.is_redis else waits_of(server, now_s=timezone.now().timestamp()),
        "marks": marks_of(server, span),
        "rights": rights_known(server),
        "table": table_of(drawn, request.GET.get("table", "")[:32], before=span.before if span.compare else ""),
        "ranges": [(key, short) for key, (_, short, _) in RANGES.items()],
        "every_s": settings.SAMPLE_EVERY_S,
    }

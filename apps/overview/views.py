from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from apps.accounts.access import console_page, operator_of, who_may
from apps.history.reads import fleet_seen_by
from apps.overview.happening import lately, running
from apps.overview.reads import chosen
from apps.overview.sparks import sparks
from apps.servers.fragments import part
from apps.shell.pages import may_anywhere, url_of


@console_page("console.use")
def overview(request: HttpRequest) -> HttpResponse:
    """The fleet, from what the sampler saw last: as quick with a hanging server as without."""
    operator = operator_of(request)
    may_register = may_anywhere(operator, "servers.manage")
    fleet = chosen(
        fleet_seen_by(request),
        query=request.GET.get("q", "")[:100].replace("\x00", ""),
        environment=request.GET.get("env", "")[:32],
        sort=request.GET.get("sort", "")[:16],
    )
    now = timezone.now()
    drawn = sparks(fleet.states, now_s=now.timestamp())
    context = {
        "fleet": fleet,
        "rows": [(state, drawn.get(state.server.pk)) for state in fleet.states],
        "running": running(operator, fleet_seen_by(request)) if fleet.all_count else [],
        "lately": lately(fleet_seen_by(request), now=now),
        "every_s": settings.SAMPLE_EVERY_S,
        "register_url": url_of("servers:register") if may_register else "",
        "may_register": may_register,
        "helpers": who_may("operators.manage", None) if not fleet.all_count and not may_register else [],
    }
    return render(request, part(request, "overview/overview.html", "fleet"), context)

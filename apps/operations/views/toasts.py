"""What happened while one looked elsewhere."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import console_page, operator_of
from apps.accounts.answers import here
from apps.accounts.models import Operator
from apps.operations.models import Notice
from apps.servers.access import visible_servers

SHOWN = 4
LOOKED_THROUGH = 50


@require_safe
@console_page("console.use")
def toasts(request: HttpRequest) -> HttpResponse:
    return _shown(request)


def _shown(request: HttpRequest) -> HttpResponse:
    return render(request, "operations/toasts.html", {"toasts": _unseen(operator_of(request))})


def _unseen(operator: Operator) -> list[Notice]:
    """The newest four that were not seen, about servers that the operator may still know of.

    Cost: one indexed query; two more when there is anything to show.
    """
    found = list(Notice.objects.filter(operator=operator, seen_at=None)[:LOOKED_THROUGH])
    if not found:
        return []
    visible = {"", *(server.key for server in visible_servers(operator))}
    return [notice for notice in found if notice.server_key in visible][:SHOWN]


@require_POST
@console_page("console.use")
def seen(request: HttpRequest, pk: int) -> HttpResponse:
    """Follow one, or put it away."""
    notice = Notice.objects.filter(pk=pk, operator=operator_of(request)).first()
    if notice is not None:
        Notice.objects.filter(pk=pk).update(seen_at=timezone.now())
        if "follow" in request.POST:
            return redirect(notice.url)
    return _shown(request) if request.headers.get("HX-Request") else redirect(here(request))

"""Go to, and the parts of the frame that refresh by themselves."""

from __future__ import annotations

from dataclasses import asdict

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from apps.accounts.access import console_page, operator_of
from apps.history.reads import fleet_seen_by
from apps.shell.context import frame_of
from apps.shell.finder import find

LONGEST_QUERY = 100


@console_page("console.use")
def go_to(request: HttpRequest) -> HttpResponse:
    """A page with a form, or the same answer as JSON for the dialog. Cost: four queries of the console's own data."""
    operator = operator_of(request)
    query = request.GET.get("q", "")[:LONGEST_QUERY].replace("\x00", "")
    places = find(operator, fleet_seen_by(request), query)
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse({"places": [asdict(place) for place in places]})
    return render(request, "shell/goto.html", {"query": query, "places": places})


@console_page("console.use")
def frame(request: HttpRequest) -> HttpResponse:
    """The side list and the server bar anew. `server` and `app` say which page asks; a server out of scope is ignored."""
    operator = operator_of(request)
    key, app = request.GET.get("server", "")[:64], request.GET.get("app", "")[:32]
    return render(request, "shell/frame.html", frame_of(operator, key=key, app=app, states=fleet_seen_by(request)))

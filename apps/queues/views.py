"""The pages of queues: all servers, one server, one queue. Each panel is read for itself and fails for itself."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from apps.accounts.access import console_page, decide, operator_of, require
from apps.engine.contracts.adapter import Queue
from apps.engine.errors import EngineError, Gone
from apps.engine.target import Target
from apps.engine.text import unref
from apps.queues import fleet as backlogs
from apps.queues.catalogue import adapter_for
from apps.queues.fleet import Reading
from apps.queues.own_broker import own_database
from apps.queues.presented import board
from apps.queues.shown import shown_groups
from apps.servers.access import server_page, visible_to
from apps.servers.fragments import fragment, part
from apps.servers.models import Server
from apps.servers.panels import Panel, read_panel

ONLY = ("need", "failed")


@console_page("console.use")
def fleet(request: HttpRequest) -> HttpResponse:
    """Every queue of every server that this operator may see."""
    return _board(request, "queues/fleet.html", visible_to(request, "queues.view"), {})


@server_page("queues.view")
def server(request: HttpRequest, server: Server) -> HttpResponse:
    """The queues of one server."""
    return _board(request, "queues/server.html", [server], {"server": server, "own_database": _own(server)})


def _board(request: HttpRequest, template: str, servers: list[Server], more: dict[str, Any]) -> HttpResponse:
    text, only = request.GET.get("q", "")[:200], request.GET.get("only", "")
    only = only if only in ONLY else ""
    shown = board(servers, _readings(servers), text=text, only=only)
    groups = shown_groups(shown.groups, with_server="server" not in more)
    context = {"board": shown, "groups": groups, "text": text, "only": only, **more}
    return render(request, part(request, template, "queues"), context)


def _readings(servers: list[Server]) -> list[Reading]:
    """Secrets are opened here, in the request's thread; the threads that read know nothing of the console's database."""
    targets = [_target(server) for server in servers]
    read = iter(backlogs.read_fleet([target for target in targets if isinstance(target, Target)]))
    return [
        next(read) if isinstance(target, Target) else Reading(target_id=server.key, error=target)
        for server, target in zip(servers, targets, strict=True)
    ]


def _target(server: Server) -> Target | EngineError:
    try:
        return server.target()
    except EngineError as error:
        return error


def _own(server: Server) -> str | None:
    return own_database(server) if server.is_redis else None


@server_page("queues.view")
def queue(request: HttpRequest, server: Server, adapter: str, ref: str) -> HttpResponse:
    """One queue: its figures, one state page by page, its failures by error, one job opened, its workers."""
    try:
        found = Queue.parse(adapter, ref)
        framework = adapter_for(adapter, kind=server.kind)
    except Gone as error:
        raise Http404(error.message) from error
    shown = request.GET.get("show") == "1"
    if shown:
        require(request, "data.unmask", server.place)
    state, start = request.GET.get("state", "")[:20], request.GET.get("start", "")[:64]
    context: dict[str, Any] = {
        "server": server,
        "queue": found,
        "framework": framework,
        "shown": shown,
        "may_show": decide(operator_of(request), "data.unmask", server.place).allowed,
        "own": _own(server) == found.database and server.is_redis,
        "has_lever": (found.adapter, state) == ("rq", "failed"),
        **_panels(request, server, found, state or "ready", start),
    }
    return render(request, part(request, "queues/queue.html", "queue", "jobs", "workers", "errors"), context)


def _panels(request: HttpRequest, server: Server, found: Queue, state: str, start: str) -> dict[str, Any]:
    """The panels of this request: all of a page, or the one that a fragment asks for."""
    wanted = fragment(request)
    target: Panel[Target] = read_panel(server.target)
    context: dict[str, Any] = {"state": state, "start": start, "job_id": request.GET.get("job", "")[:700]}
    if target.value is None:
        return context | {"overview": target, "page": target if state != "workers" else None}
    there = target.value
    if wanted in ("", "queue", "workers"):
        context["overview"] = read_panel(lambda: backlogs.read_queue(there, found))
    if wanted in ("", "jobs") and state != "workers":
        context["page"] = read_panel(lambda: backlogs.read_page(there, found, state=state, start=start))
    if wanted in ("", "errors") and state == "failed":
        context["errors"] = read_panel(lambda: backlogs.read_failures(there, found))
    if not wanted and context["job_id"]:
        context["job"] = read_panel(
            lambda: backlogs.read_job(there, found, state=state, job=unref(context["job_id"]), start=start)
        )
    return context

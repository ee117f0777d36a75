"""The page of who is connected: sessions and the blocking tree of a PostgreSQL, clients and channels of a Redis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.activity import words
from apps.activity.identity import own_users
from apps.activity.reads.clients import MOST_CLIENTS_SHOWN, Client, ClientOrder, channels, clients, grouped, ordered
from apps.activity.reads.sessions import Activity, Session
from apps.activity.reads.sessions import activity as read_activity
from apps.activity.shown import shown_clients, shown_groups
from apps.activity.shown_sessions import Levers, shown_sessions, shown_sources
from apps.engine.target import Target
from apps.operations.buttons import row_button
from apps.servers.access import server_page
from apps.servers.fragments import part
from apps.servers.looking import Look, look
from apps.servers.models import Server
from apps.servers.panels import Panel, read_panel

ORDER_TITLES = {
    ClientOrder.WORST: "Worst",
    ClientOrder.AGE: "Oldest",
    ClientOrder.IDLE: "Longest idle",
    ClientOrder.OUTPUT: "Output waiting",
    ClientOrder.NAME: "By name",
}
GROUPS_SHOWN = 50
BLOCKED_SHOWN = 200


@server_page("activity.view")
def activity(request: HttpRequest, server: Server) -> HttpResponse:
    seen = look(request, server)

    @cache
    def target() -> Target:
        return server.target().at(seen.address)

    return _clients(request, server, seen, target) if server.is_redis else _sessions(request, server, seen, target)


def _sessions(request: HttpRequest, server: Server, seen: Look, target: Callable[[], Target]) -> HttpResponse:
    which = request.GET.get("list", "")
    which = which if which in ("transaction", "all") else "working"
    panel: Panel[Activity] = read_panel(lambda: read_activity(target(), idle=which == "all"))
    sessions = _chosen(panel.value.sessions, which) if panel.value else ()
    levers = _levers(request, server, seen, own=frozenset(target().accounts) if panel.ok else frozenset())
    context = {
        "server": server,
        "look": seen,
        "panel": panel,
        "heading": words.activity_heading(panel.value) if panel.value else "Activity cannot be told",
        "sessions": sessions,
        "session_rows": shown_sessions(sessions, shows=seen.shows, levers=levers),
        "source_rows": shown_sources(panel.value.sources if panel.value else ()),
        "blocked": [(row, levers.of(row.session)) for row in panel.value.blocked[:BLOCKED_SHOWN]]
        if panel.value
        else (),
        "levers": levers,
        "which": which,
        "whiches": (("working", "Working"), ("transaction", "Idle in transaction"), ("all", "All")),
    }
    return render(request, part(request, "activity/postgres.html", "activity-now"), context)


def _levers(request: HttpRequest, server: Server, seen: Look, *, own: frozenset[str]) -> Levers:
    node = str(seen.address)
    return Levers(
        cancel=row_button(request, "activity.cancel_statement", server, varies="session", node=node),
        end=row_button(request, "activity.terminate_session", server, varies="session", node=node),
        own=own,
    )


def _chosen(sessions: Sequence[Session], which: str) -> tuple[Session, ...]:
    if which == "transaction":
        return tuple(session for session in sessions if session.is_idle_in_transaction)
    return tuple(session for session in sessions if which == "all" or session.state != "idle")


def _clients(request: HttpRequest, server: Server, seen: Look, target: Callable[[], Target]) -> HttpResponse:
    order = next((each for each in ClientOrder if each.value == request.GET.get("sort")), ClientOrder.WORST)
    panel = read_panel(lambda: clients(target()))
    found: tuple[Client, ...] = panel.value.clients if panel.value else ()
    groups = grouped(found)
    end = row_button(request, "activity.kill_client", server, varies="client", node=str(seen.address))
    context = {
        "server": server,
        "look": seen,
        "panel": panel,
        "heading": words.clients_heading(panel.value) if panel.value else "Clients cannot be told",
        "clients": shown_clients(ordered(found, order), end=end, own=own_users(target()) if panel.ok else frozenset()),
        "end": end,
        "most_shown": MOST_CLIENTS_SHOWN,
        "groups": shown_groups(groups[:GROUPS_SHOWN]),
        "groups_count": len(groups),
        "order": order.value,
        "orders": [(each.value, title) for each, title in ORDER_TITLES.items()],
        "channels": read_panel(lambda: channels(target())),
    }
    return render(request, part(request, "activity/redis.html", "clients-now"), context)

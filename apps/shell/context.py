"""What the frame of every page shows: the servers in scope worst first, the server in hand, and who is signed in."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.http import HttpRequest

from apps.accounts.models import Operator
from apps.history.reads import ServerState, fleet_seen_by, state_of
from apps.servers.models import Server
from apps.shell.pages import highest_role, pages, sections, url_of


class ServerLine(NamedTuple):
    """What the side list says of one server."""

    key: str
    title: str
    environment: str
    signal: str
    reason: str


def frame(request: HttpRequest) -> dict[str, Any]:
    """Cost: two queries for a page that extends the frame, and one for assignments; none for a fragment or for nobody."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    operator = {"frame_operator": {"username": user.username, "initials": user.initials}}
    if getattr(request, "htmx", None):
        return operator
    server = getattr(request, "server", None)
    match = request.resolver_match
    app = match.app_name if match else ""
    context = frame_of(user, key=server.key if server else "", app=app, states=fleet_seen_by(request))
    if server and context["server_state"] is None:
        context["server_state"] = state_of(server)
    return {
        **context,
        **operator,
        "frame_pages": tuple(pages(user)),
        "frame_role": highest_role(user),
        "account_url": url_of("accounts:own"),
        "sign_out_url": url_of("account_logout"),
    }


def frame_of(operator: Operator, *, key: str, app: str, states: list[ServerState]) -> dict[str, Any]:
    """The refreshing part: the servers, the one in hand with its sections. `key` is ignored when it is not in scope."""
    in_hand = next((state for state in states if state.server.key == key), None)
    return {
        "frame_servers": tuple(map(_line, states)),
        "server_state": in_hand,
        "frame_server": _line(in_hand) if in_hand else None,
        "frame_where": _where(in_hand.server) if in_hand else "",
        "frame_sections": tuple(sections(in_hand.server, operator)) if in_hand else (),
        "frame_app": app,
        "frame_demo": in_hand.server.is_demo if in_hand else bool(states) and all(s.server.is_demo for s in states),
    }


def _line(state: ServerState) -> ServerLine:
    server = state.server
    return ServerLine(server.key, state.title, server.environment, state.signal, state.reason)


def _where(server: Server) -> str:
    """Its addresses, and whether it is reached by TLS."""
    return ", ".join([*map(str, server.address_list()), *(["TLS"] if server.tls else [])])

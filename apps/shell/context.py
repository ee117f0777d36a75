"""What the frame of every page shows: the servers in scope worst first, and the server in hand."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from apps.history.reads import ServerState, fleet, state_of


def frame(request: HttpRequest) -> dict[str, Any]:
    """Cost: two queries for a page that extends the frame, none for a fragment."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or getattr(request, "htmx", None):
        return {}
    server = getattr(request, "server", None)
    states: list[ServerState] = fleet(user)
    in_hand = next((s for s in states if server and s.server.key == server.key), None)
    return {"frame_servers": states, "server_state": in_hand or (state_of(server) if server else None)}

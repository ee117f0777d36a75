"""Every page about one server begins here: found within the operator's scope, allowed by role, named by kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from apps.accounts.access import decide, declared, operator_of, require
from apps.accounts.models import Operator
from apps.engine.target import Kind
from apps.servers.capabilities import POSTGRES, REDIS
from apps.servers.models import Server

ServerView = Callable[..., HttpResponseBase]


def visible_servers(operator: Operator, permission: str = "servers.view") -> list[Server]:
    """The servers this operator may know of, by name, ready to be asked. Cost: two queries, and one for assignments."""
    return allowed_among(Server.objects.all_to_ask(), operator, permission)


def visible_to(request: HttpRequest, permission: str = "servers.view") -> list[Server]:
    """The same for a page that shows the frame as well. Cost: one query more than the frame's."""
    servers = allowed_among(known_servers(request), operator_of(request), permission)
    Server.objects.with_all_credentials(servers)
    return sorted(servers, key=lambda server: server.key)


def allowed_among(servers: Iterable[Server], operator: Operator, permission: str = "servers.view") -> list[Server]:
    """Those of some servers that this operator may know of. Cost: that of the query, and one for assignments."""
    return [server for server in servers if decide(operator, permission, server.place).allowed]


def known_servers(request: HttpRequest) -> list[Server]:
    """Every server, whoever may see it. Cost: one query a request: a page's own server is among those of its frame."""
    kept: list[Server] | None = getattr(request, "_known_servers", None)
    if kept is None:
        kept = Server.objects.to_show()
        request._known_servers = kept  # type: ignore[attr-defined]
    return kept


def _server_of(request: HttpRequest, key: str) -> Server | None:
    """A fragment has no frame, and what changes a server reads it for itself: both ask for this one only."""
    if request.method not in ("GET", "HEAD") or getattr(request, "htmx", None):
        return Server.objects.to_ask(key)
    server = next((server for server in known_servers(request) if server.key == key), None)
    if server is not None:
        Server.objects.with_credentials(server)
    return server


def find_server(request: HttpRequest, key: str, permission: str, *, kind: Kind | None = None) -> Server:
    """The server of a URL. Errors: Http404 out of scope (or of another kind); those of `require` in scope."""
    server = _server_of(request, key)
    if server is None:
        raise Http404("no such server")
    decision = decide(operator_of(request), permission, server.place)
    if not decision.visible or (kind and server.kind != kind):
        raise Http404("no such server")
    require(request, permission, server.place)
    return server


def server_page(permission: str, *, kind: Kind | None = None, feature: str = "") -> Callable[[ServerView], ServerView]:
    """Decorates `view(request, server, ...)` for a route `servers/<slug:key>/...`.

    With `feature`, a key of capabilities.py, `request.capability` says what the last probe found for it: None where nothing
    is known, so the page tries. Templates show a lacking one by `{% include "parts/missing.html" %}`.
    """
    if feature and feature not in {f.key for f in REDIS + POSTGRES}:
        raise KeyError(f"{feature} is no feature of apps.servers.capabilities")

    def decorate(view: ServerView) -> ServerView:
        @wraps(view)
        def guarded(request: HttpRequest, key: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            server = find_server(request, key, permission, kind=kind)
            request.server = server  # type: ignore[attr-defined]  # the frame shows the server bar for it
            request.capability = server.capability(feature) if feature else None  # type: ignore[attr-defined]
            return view(request, server, *args, **kwargs)

        guarded.kind = kind  # type: ignore[attr-defined]
        return declared(permission)(guarded)

    return decorate

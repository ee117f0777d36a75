"""Every route of the console, and how to call those that take more than a server's key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse

from apps.engine.contracts.adapter import Queue
from apps.engine.target import Kind
from apps.engine.text import ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`name` with its namespace; `route` as written in the urlconf; `kind` when it is for one kind of server only."""

    name: str
    route: str
    permission: str
    public: bool
    kind: Kind | None
    takes_server: bool
    view: Callable[..., Any]

    def path(self, key: str = "", kind: str = "") -> str:
        """A path that calls it, with values of the small world, whose keys begin with their kind.

        Errors: KeyError for a route this file knows no values for.
        """
        values = dict(EXAMPLES.get(f"{self.name} {kind or key.split('-')[0]}") or EXAMPLES.get(self.name, {}))
        if self.takes_server:
            values["key"] = key
        wanted = set(_parameters(self.route))
        if missing := wanted - set(values):
            raise KeyError(f"{self.name} takes {sorted(missing)}: add values to EXAMPLES in tests/system/routes.py")
        return reverse(self.name, kwargs=values)

    def suits(self, kind: str) -> bool:
        return self.kind is None or self.kind == kind


# Values for what is not a server's key; where they differ by kind, the route's name is followed by the kind.
EXAMPLES: dict[str, dict[str, Any]] = {
    "keyspace:key": {"ref": ref(b"cart:1")},
    "queues:queue": {"adapter": "rq", "ref": Queue(adapter="rq", framework="RQ", name=b"emails", database="0").ref},
    "queues:queue postgres": {
        "adapter": "outbox",
        "ref": Queue(adapter="outbox", framework="outbox", name=b"outbox_event", part=b"public", database="").ref,
    },
    "slow_queries:statement": {"queryid": "-1"},
    "backups:download": {"number": 1, "part": "dump.rdb"},
    "operations:start": {"action": "keyspace.delete_key"},
    "operations:start postgres": {"action": "upkeep.vacuum"},
}


# Answer POST alone: a GET is refused before anything is looked at.
POST_ONLY = frozenset({"servers:probe", "backups:download"})
# What a role may do there follows from the action in the address, and is walked by tests/operations/test_guard.py.
BY_ACTION = frozenset({"operations:start"})


def _parameters(route: str) -> list[str]:
    return [part.split(">")[0].split(":")[-1] for part in route.split("<")[1:]]


def routes() -> list[Route]:
    return sorted(_walk(get_resolver().url_patterns, "", ""), key=lambda r: r.route)


def _walk(patterns: list[Any], prefix: str, namespace: str) -> Iterator[Route]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern.url_patterns, route, inner)
        elif isinstance(pattern, URLPattern):
            yield _route(pattern, route, namespace)


def _route(pattern: URLPattern, route: str, namespace: str) -> Route:
    view = pattern.callback
    return Route(
        name=f"{namespace}{pattern.name}",
        route=route,
        permission=getattr(view, "permission", ""),
        public=bool(getattr(view, "public", False)),
        kind=getattr(view, "kind", None),
        takes_server=route.startswith("servers/<slug:key>/"),
        view=view,
    )


def server_pages(kind: str) -> list[Route]:
    """The reading pages about one server of a kind."""
    return [
        r
        for r in routes()
        if r.takes_server and r.suits(kind) and r.name not in POST_ONLY | BY_ACTION and r.permission != "servers.manage"
    ]

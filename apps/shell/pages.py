"""Where one can go: the big pages, and the sections of one server with what stands in their way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from django.urls import NoReverseMatch, reverse

from apps.accounts.access import assignments, decide
from apps.accounts.models import Operator, Role
from apps.accounts.permissions import POLICIES, TABLE, Need
from apps.engine.target import Kind, Profile
from apps.servers.models import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A big page. `key` is the letter after G, empty for none."""

    title: str
    route: str
    icon: str
    url: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section of one server. `lacks` says what is missing, `refused` that the role forbids it: then there is no link."""

    title: str
    app: str
    url: str
    lacks: str
    refused: bool


PAGES = (
    ("Overview", "overview", "layout-dashboard", "console.use", "o"),
    ("Queues", "queues:list", "stack-2", "console.use", "q"),
    ("Timeline", "monitoring:timeline", "history", "console.use", "t"),
    ("Runs", "operations:runs", "player-play", "console.use", "r"),
    ("Backups", "backups:list", "database-export", "console.use", "b"),
    ("Approvals", "operations:approvals", "user-check", "console.use", "a"),
    ("Audit", "operations:audit", "file-text", "console.use", "u"),
    ("Operators", "accounts:list", "users", "operators.view", ""),
    ("Freezes", "operations:freezes", "player-pause", "freezes.manage", ""),
    ("Archive", "operations:archive", "arrow-back-up", "freezes.manage", ""),
    ("Deploy marks", "monitoring:tokens", "tag", "marks.manage", ""),
    ("Deliveries", "operations:deliveries", "mail", "freezes.manage", ""),
)
# title, route, permission, the feature of the capability probe that the page stands on
SECTIONS = {
    Kind.REDIS: (
        ("Keyspace", "keyspace:list", "keyspace.names", "keyspace.browse"),
        ("Queues", "queues:server", "queues.view", "queues.view"),
        ("Slow log", "slow_queries:list", "activity.view", "slow.log"),
        ("Clients", "activity:list", "activity.view", "activity.clients"),
        ("ACL", "acl:list", "acl.view", "acl.view"),
        ("Upkeep", "upkeep:detail", "upkeep.view", "upkeep.memory"),
        ("Backups", "backups:server", "backups.view", ""),
    ),
    Kind.POSTGRES: (
        ("Queues", "queues:server", "queues.view", "queues.view"),
        ("Slow queries", "slow_queries:list", "activity.view", "slow.statements"),
        ("Activity", "activity:list", "activity.view", "activity.sessions"),
        ("Roles", "acl:list", "acl.view", "acl.view"),
        ("Upkeep", "upkeep:detail", "upkeep.view", "upkeep.tables"),
        ("Backups", "backups:server", "backups.view", ""),
    ),
}


@lru_cache(maxsize=4096)
def url_of(route: str, *args: str) -> str:
    """The address of a route, empty when this console has none by that name. Resolved once a process: every page asks for ten."""
    try:
        return reverse(route, args=args)
    except NoReverseMatch:
        return ""


def pages(operator: Operator) -> list[Page]:
    """The big pages this operator may open."""
    return [
        Page(title=title, route=route, icon=icon, url=url, key=key)
        for title, route, icon, permission, key in PAGES
        if decide(operator, permission).allowed and (url := url_of(route))
    ]


def sections(server: Server, operator: Operator) -> Iterator[Section]:
    """Every section of a server, in the same order for everybody; what may not be seen is named too, with the reason."""
    place = server.place
    for title, route, permission, feature in SECTIONS[Kind(server.kind)]:
        allowed = decide(operator, permission, place).allowed
        lacks = _lacks(server, feature) if allowed else f"Your roles do not include this in {server.environment}."
        yield Section(
            title=title, app=route.split(":")[0], url=url_of(route, server.key), lacks=lacks, refused=not allowed
        )


def _lacks(server: Server, feature: str) -> str:
    """What the last capability probe found missing; empty when it is there, or when nobody has probed yet."""
    found = (server.capabilities or {}).get(Profile.MONITOR, {}).get(feature)
    if not isinstance(found, dict) or found.get("ok", True):
        return ""
    return str(found.get("missing") or found.get("reason") or "The server does not offer this.")


def may_anywhere(operator: Operator, permission: str) -> bool:
    """Whether one of the operator's roles allows it in some environment: enough to show the way to a form."""
    roles = {Role(held.role) for held in assignments(operator)}
    return any(TABLE[permission].need(role, policy) is not Need.NO for role in roles for policy in POLICIES)


RANKS = (Role.ADMIN, Role.MAINTAINER, Role.OPERATOR, Role.AUDITOR, Role.VIEWER)


def highest_role(operator: Operator) -> str:
    """The strongest role in force, wherever it holds; words for none."""
    held = {held.role for held in assignments(operator)}
    return next((role.value for role in RANKS if role in held), "no role yet")

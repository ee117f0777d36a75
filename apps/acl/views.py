"""Who may do what on one server: the users of a Redis, the roles of a PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString

from apps.acl.lockout import DEFAULT, registered_names
from apps.acl.reads import postgres
from apps.acl.reads import redis as acl
from apps.acl.reads.postgres import Role, Roles
from apps.acl.reads.rules import User, rule_words
from apps.acl.reads.words import Sentence, describe, in_short, trouble
from apps.acl.shown import RoleRow, shown_roles
from apps.engine import text
from apps.engine.errors import EngineError, Gone, Unreachable
from apps.engine.target import Address, Target
from apps.servers.access import server_page
from apps.servers.models import Server
from apps.servers.panels import Panel, read_panel
from apps.shell.templatetags.shell import name as shown

AT_ONCE = 8
Value = TypeVar("Value")


@server_page("acl.view")
def users(request: HttpRequest, server: Server) -> HttpResponse:
    target = read_panel(server.target)
    if target.value is None:
        return render(request, "acl/unusable.html", {"server": server, "error": target.error})
    return _redis(request, server, target.value) if server.is_redis else _postgres(request, server, target.value)


# -- Redis -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """A user in the list. `client_count` is None where it is not known."""

    user: User
    signal: str
    reason: str
    short: Sentence
    client_count: int | None
    is_me: bool
    is_picked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """How a further node agrees with the first: its differences, or why it could not be asked."""

    address: Address
    differences: tuple[acl.Difference, ...]
    error: EngineError | None


def _redis(request: HttpRequest, server: Server, target: Target) -> HttpResponse:
    addresses = server.address_list()
    address = next((a for a in addresses if str(a) == request.GET.get("node")), addresses[0])
    listed = read_panel(lambda: acl.users(target, address=address))
    rows = _user_rows(listed.value) if listed.value else ()
    name = _asked_user(request, rows)
    rows = tuple(replace(row, is_picked=True) if row.user.name == name else row for row in rows)
    context: dict[str, Any] = {
        "server": server,
        "addresses": addresses,
        "address": address,
        "node": str(address) if len(addresses) > 1 else "",
        "listed": listed,
        "rows": rows,
        "denied": _unless_unreachable(listed, lambda: acl.denials(target, address=address)),
        "nodes": _other_nodes(target, addresses, address, listed),
        "worst": [row for row in rows if row.signal in ("crit", "warn")],
        "picked": name,
        "default_user": DEFAULT,
        "is_own": name is not None and name in registered_names(server) | {listed.value.me if listed.value else None},
    }
    if name is not None:
        picked = _unless_unreachable(listed, lambda: acl.user(target, name=name, address=address))
        context |= {"chosen": picked, "picked_row": next((row for row in rows if row.user.name == name), None)}
        if picked.value:
            words = [shown(word, 300) for word in rule_words(picked.value)]
            context |= {"sentences": describe(picked.value), "rule": SafeString(" ".join(words))}
    return render(request, "acl/redis.html", context)


def _asked_user(request: HttpRequest, rows: tuple[UserRow, ...]) -> bytes | None:
    """The user of the address, or the one that is worst. A ref that nobody made names no user: b"" is none."""
    asked = request.GET.get("user")
    if asked is None:
        return rows[0].user.name if rows else None
    try:
        return text.unref(asked)
    except Gone:
        return b""


def _user_rows(listed: acl.Users) -> tuple[UserRow, ...]:
    return tuple(_user_row(listed, user) for user in listed.users)


def _user_row(listed: acl.Users, user: User) -> UserRow:
    signal, reason = trouble(user)
    return UserRow(
        user=user,
        signal=signal,
        reason=reason,
        short=in_short(user),
        client_count=listed.clients_of(user),
        is_me=user.name == listed.me,
    )


def _other_nodes(
    target: Target, addresses: tuple[Address, ...], seen: Address, listed: Panel[acl.Users]
) -> tuple[NodeRow, ...]:
    """Every other node against the one that is shown. Cost: one read a node, eight at once."""
    if listed.value is None:
        return ()
    others = [address for address in addresses if address != seen]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        panels = list(pool.map(lambda address: read_panel(lambda: acl.users(target, address=address)), others))
    first = listed.value.users
    return tuple(
        NodeRow(address=address, differences=acl.differences(first, p.value.users) if p.value else (), error=p.error)
        for address, p in zip(others, panels, strict=True)
    )


def _unless_unreachable(first: Panel[Any], question: Callable[[], Value]) -> Panel[Value]:
    """A node that did not answer the first question is not asked a second one: the page waits once."""
    if isinstance(first.error, Unreachable):
        return Panel(value=None, error=first.error, took_s=0.0)
    return read_panel(question)


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


def _postgres(request: HttpRequest, server: Server, target: Target) -> HttpResponse:
    panel = read_panel(lambda: postgres.roles(target))
    context: dict[str, Any] = {"server": server, "panel": panel, "address": server.address_list()[0]}
    if panel.value:
        rows = _role_rows(panel.value)
        asked = request.GET.get("role")
        chosen = panel.value.named(asked) if asked is not None else rows[0].role if rows else None
        context |= {"rows": rows, "asked": asked, "worst": [row for row in rows if row.signal in ("crit", "warn")]}
        context |= {"role_rows": shown_roles(rows, chosen=chosen)}
        if chosen:
            context |= _role_detail(panel.value, chosen)
    return render(request, "acl/postgres.html", context)


def _role_rows(roles: Roles) -> tuple[RoleRow, ...]:
    return tuple(
        RoleRow(
            role=role,
            signal=roles.trouble(role)[0],
            reason=roles.trouble(role)[1],
            password=roles.password_of(role),
            parents=tuple(branch.role for branch in roles.granted_to(role) if branch.depth == 1),
        )
        for role in roles.worst_first()
    )


def _role_detail(roles: Roles, role: Role) -> dict[str, Any]:
    signal, reason = roles.trouble(role)
    return {
        "chosen": role,
        "signal": signal,
        "reason": reason,
        "password": roles.password_of(role),
        "knows_passwords": roles.passwords is not None,
        "granted": roles.granted_to(role),
        "members": roles.members_of(role),
    }

"""Rows of the clients as their templates put them down: what a cell says, and what stands in it at all, is decided here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.activity.identity import ClientRef
from apps.activity.reads.clients import Client, ClientGroup
from apps.operations.buttons import RowButton
from apps.shell.templatetags.shell import bytes_iec, count, dash, duration, name, sig
from apps.shell.templatetags.table_rows import NOTHING, class_of

HOSTS_SHOWN = 2
EMPTY_CELL = SafeString("<td></td>")
OWN = SafeString('<span class="tag" title="A connection of this console.">this console</span>')


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownGroup:
    """Clients that share a user and a name."""

    clients: SafeString
    name: SafeString
    user: SafeString
    hosts: SafeString
    blocked: SafeString
    idle: SafeString
    output: SafeString
    oldest: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownClient:
    """One connection."""

    edge: SafeString
    id: int
    name: SafeString
    own: SafeString
    user: SafeString
    address: SafeString
    state: SafeString
    command: SafeString
    database: int
    age: SafeString
    idle: SafeString
    output: SafeString
    library: SafeString
    levers: SafeString


def shown_groups(groups: Iterable[ClientGroup]) -> list[ShownGroup]:
    return [_group(group) for group in groups]


def _group(group: ClientGroup) -> ShownGroup:
    return ShownGroup(
        clients=count(group.clients_count),
        name=name(group.name, 60) if group.name else dash(None, "These clients gave no name."),
        user=name(group.user, 60),
        hosts=_hosts(group.hosts),
        blocked=count(group.blocked_count),
        idle=count(group.idle_count),
        output=bytes_iec(group.output_bytes),
        oldest=duration(group.oldest_s),
    )


def _hosts(hosts: tuple[bytes, ...]) -> SafeString:
    named = SafeString(", ".join([name(host, 48) for host in hosts[:HOSTS_SHOWN]]))
    more_count = len(hosts) - HOSTS_SHOWN
    return format_html("{} and {} more", named, more_count) if more_count > 0 else named


def shown_clients(clients: Iterable[Client], *, end: RowButton, own: frozenset[bytes]) -> list[ShownClient]:
    """`own` are the console's users: its connections cannot be ended, and somebody else's by the same name can."""
    return [_client(client, _levers(client, end, own)) for client in clients]


def _levers(client: Client, end: RowButton, own: frozenset[bytes]) -> SafeString:
    """The cell of one client; no cell where the operator can end none."""
    if not end:
        return NOTHING
    if client.is_replica or client.is_primary or (client.is_own and client.user in own):
        return EMPTY_CELL
    ref = ClientRef(id=client.id, address=client.address).text
    return SafeString(f'<td class="acts">{end.of(ref, client.id)}</td>')


def _client(client: Client, levers: SafeString) -> ShownClient:
    return ShownClient(
        edge=class_of("edge-warn" if client.is_monitor else ""),
        id=client.id,
        name=name(client.name, 60) if client.name else dash(None, "It gave no name."),
        own=OWN if client.is_own else NOTHING,
        user=name(client.user, 40),
        address=name(client.address, 60),
        state=_state(client),
        command=name(client.command, 40),
        database=client.database,
        age=duration(client.age_s),
        idle=duration(client.idle_s),
        output=bytes_iec(client.output_bytes) if client.output_bytes else dash(None, "Nothing waits to be sent."),
        library=name(client.library, 40)
        if client.library
        else dash(None, "It did not tell, or the server is older than 7.2."),
        levers=levers,
    )


def _state(client: Client) -> SafeString:
    state = client.state
    if state == "monitor":
        return sig("warn", state)
    if client.is_blocked:
        return sig("pause", "blocked", quiet=True)
    if state == "active":
        return sig("ok", state, quiet=True)
    to = f" to {client.subscriptions_count}" if client.subscriptions_count else ""
    return format_html('<span class="ink-2">{}{}</span>', state, to)

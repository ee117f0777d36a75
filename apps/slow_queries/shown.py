"""Rows of the long tables as the template puts them down: what a cell says is made once, before the template asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.servers.models import Server
from apps.shell.templatetags.shell import ago, bar, bytes_iec, bytes_si, count, dash, duration, name, percent
from apps.shell.templatetags.sqltext import sql
from apps.slow_queries import words
from apps.slow_queries.reads.commands import CommandFigures
from apps.slow_queries.reads.shapes import Shape
from apps.slow_queries.reads.slowlog import Entry, Group
from apps.slow_queries.reads.statements import StatementFigures

GROUP_MATTERS_RATIO = 0.2
CLIENTS_SHOWN = 3
BLOCKS_ALL = "blocks all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownStatement:
    """A statement of the list with what stands out in it."""

    edge: str
    share_bar: SafeString
    share: SafeString
    href: str
    line: SafeString
    remarks: tuple[words.Remark, ...]
    is_own: bool
    calls: SafeString
    mean: SafeString
    slowest: SafeString
    rows_per_call: str
    hits: SafeString
    temporary: SafeString
    wal: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownGroup:
    """Entries of the slow log that share a shape."""

    edge: str
    share_bar: SafeString
    share: SafeString
    shape: Shape
    blocks_all: bool
    calls: SafeString
    mean: SafeString
    slowest: SafeString
    clients: SafeString
    advice: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEntry:
    """One entry of the slow log; `words` are empty unless they may be seen and were asked for."""

    edge: str
    when: SafeString
    took: SafeString
    words: SafeString
    shape: Shape
    arguments: SafeString
    client_name: SafeString
    client: SafeString
    is_own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCommand:
    """What was counted of one command."""

    name: str
    is_blocking: bool
    share_bar: SafeString
    share: SafeString
    calls: SafeString
    per_call: SafeString
    total: SafeString
    rejected: SafeString
    failed: SafeString


def shown_statements(server: Server, rows: Iterable[StatementFigures], *, shows: bool) -> list[ShownStatement]:
    """One address is made for all: a route is turned into its address no faster than a row is drawn."""
    before, after = reverse("slow_queries:statement", args=[server.key, "0"]).rsplit("0", 1)
    return [_statement(row, f"{before}{row.queryid}{after}", shows=shows) for row in rows]


def _statement(row: StatementFigures, href: str, *, shows: bool) -> ShownStatement:
    edge = words.edge(row)
    return ShownStatement(
        edge=edge,
        share_bar=bar(row.share_ratio, edge or "s6", classes="share"),
        share=percent(row.share_ratio),
        href=href,
        line=sql(row.text, shows),
        remarks=words.remarks(row),
        is_own=row.is_own,
        calls=count(row.calls_count),
        mean=duration(row.mean_s),
        slowest=duration(row.slowest_s),
        rows_per_call=words.each(row.rows_per_call),
        hits=dash(None, "It needed no block of a table.") if row.hit_ratio is None else percent(row.hit_ratio),
        temporary=bytes_si(row.temp_bytes) if row.temp_bytes else dash(None, "It wrote no temporary file."),
        wal=bytes_si(row.wal_bytes) if row.wal_bytes else dash(None, "It wrote no log."),
    )


def shown_groups(groups: Iterable[Group]) -> list[ShownGroup]:
    """The first group stands out when it matters."""
    return [_group(group, first=number == 0) for number, group in enumerate(groups)]


def _group(group: Group, *, first: bool) -> ShownGroup:
    blocks_all = group.shape.effect == BLOCKS_ALL
    stands_out = first and group.share_ratio >= GROUP_MATTERS_RATIO
    return ShownGroup(
        edge="edge-crit" if blocks_all else "edge-warn" if stands_out else "",
        share_bar=bar(group.share_ratio, "crit" if blocks_all else "s6", classes="share"),
        share=percent(group.share_ratio),
        shape=group.shape,
        blocks_all=blocks_all,
        calls=count(group.calls_count),
        mean=duration(group.mean_s),
        slowest=duration(group.slowest_s),
        clients=_clients(group.clients),
        advice=dash(group.shape.advice, "No cheaper command is known for this shape."),
    )


def _clients(clients: tuple[bytes, ...]) -> SafeString:
    named = SafeString(", ".join([name(client, 60) for client in clients[:CLIENTS_SHOWN]]))
    more_count = len(clients) - CLIENTS_SHOWN
    return format_html("{} and {} more", named, more_count) if more_count > 0 else named


def shown_entries(entries: Iterable[Entry], *, shows: bool) -> list[ShownEntry]:
    return [_entry(entry, shows=shows) for entry in entries]


def _entry(entry: Entry, *, shows: bool) -> ShownEntry:
    return ShownEntry(
        edge="edge-crit" if entry.shape.effect == BLOCKS_ALL else "",
        when=ago(entry.at),
        took=duration(entry.took_s),
        words=SafeString(" ".join([name(word, 128) for word in entry.words]) if shows else ""),
        shape=entry.shape,
        arguments=_arguments(entry),
        client_name=name(entry.client_name, 60) if entry.client_name else SafeString(""),
        client=name(entry.client, 60),
        is_own=entry.is_own,
    )


def _arguments(entry: Entry) -> SafeString:
    size = bytes_iec(entry.arguments_bytes)
    if entry.is_cut:
        size = format_html('<span title="The log keeps the first 31 arguments only.">≥ {}</span>', size)
    return SafeString(f"{count(entry.arguments_count)}, {size}")


def shown_commands(commands: Iterable[CommandFigures]) -> list[ShownCommand]:
    return [_command(command) for command in commands]


def _command(command: CommandFigures) -> ShownCommand:
    return ShownCommand(
        name=command.name,
        is_blocking=command.is_blocking,
        share_bar=bar(command.share_ratio, "s6", classes="share"),
        share=percent(command.share_ratio),
        calls=count(command.calls_count),
        per_call=duration(command.per_call_s),
        total=duration(command.total_s),
        rejected=count(command.rejected_count),
        failed=count(command.failed_count),
    )

"""Rows of the long tables as their templates put them down: what a cell says, and what stands in it at all, is decided here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.servers.models import Server
from apps.shell.templatetags.kept import kept
from apps.shell.templatetags.shell import ago, bar, bytes_iec, bytes_si, count, dash, duration, name, percent
from apps.shell.templatetags.sqltext import sql
from apps.shell.templatetags.table_rows import NOTHING, class_of
from apps.slow_queries import words
from apps.slow_queries.reads.commands import CommandFigures
from apps.slow_queries.reads.slowlog import Entry, Group
from apps.slow_queries.reads.statements import StatementFigures

GROUP_MATTERS_RATIO = 0.2
CLIENTS_SHOWN = 3
BLOCKS_ALL = "blocks all"
OWN = SafeString(' <span class="tag" title="This console asked it.">this console</span>')
BLOCKS_TAG = SafeString(' <span class="tag tag-warn" title="No other client is served meanwhile.">blocks all</span>')


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownStatement:
    """A statement of the list with what stands out in it."""

    edge: SafeString
    share_bar: SafeString
    share: SafeString
    href: str
    line: SafeString
    tags: SafeString
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

    edge: SafeString
    share_bar: SafeString
    share: SafeString
    shape: SafeString
    calls: SafeString
    mean: SafeString
    slowest: SafeString
    clients: SafeString
    advice: SafeString
    advice_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEntry:
    """One entry of the slow log; `command` is its shape unless its words may be seen and were asked for."""

    edge: SafeString
    when: SafeString
    took: SafeString
    command: SafeString
    arguments: SafeString
    client_name: SafeString
    client: SafeString
    own: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCommand:
    """What was counted of one command."""

    edge: SafeString
    name: str
    tag: SafeString
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
        edge=class_of(f"edge-{edge}" if edge else ""),
        share_bar=bar(row.share_ratio, edge or "s6", classes="share"),
        share=percent(row.share_ratio),
        href=href,
        line=sql(row.text, shows),
        tags=_tags(row),
        calls=count(row.calls_count),
        mean=duration(row.mean_s),
        slowest=duration(row.slowest_s),
        rows_per_call=words.each(row.rows_per_call),
        hits=dash(None, "It needed no block of a table.") if row.hit_ratio is None else percent(row.hit_ratio),
        temporary=bytes_si(row.temp_bytes) if row.temp_bytes else dash(None, "It wrote no temporary file."),
        wal=bytes_si(row.wal_bytes) if row.wal_bytes else dash(None, "It wrote no log."),
    )


def _tags(row: StatementFigures) -> SafeString:
    """What stands out in it, and whether the console asked it."""
    told = [_tag(remark) for remark in words.remarks(row)]
    return SafeString("".join([*told, OWN if row.is_own else NOTHING]))


def _tag(remark: words.Remark) -> SafeString:
    kind = f" tag-{remark.kind}" if remark.kind else ""
    return format_html('<span class="tag{}" title="{}">{}</span>', kind, remark.why, remark.word)


def shown_groups(groups: Iterable[Group]) -> list[ShownGroup]:
    """The first group stands out when it matters."""
    return [_group(group, first=number == 0) for number, group in enumerate(groups)]


def _group(group: Group, *, first: bool) -> ShownGroup:
    blocks_all = group.shape.effect == BLOCKS_ALL
    stands_out = first and group.share_ratio >= GROUP_MATTERS_RATIO
    return ShownGroup(
        edge=class_of("edge-crit" if blocks_all else "edge-warn" if stands_out else ""),
        share_bar=bar(group.share_ratio, "crit" if blocks_all else "s6", classes="share"),
        share=percent(group.share_ratio),
        shape=kept("slow_queries/parts/shape.html", shape=group.shape, blocks_all=blocks_all),
        calls=count(group.calls_count),
        mean=duration(group.mean_s),
        slowest=duration(group.slowest_s),
        clients=_clients(group.clients),
        advice=dash(group.shape.advice, "No cheaper command is known for this shape."),
        advice_text=group.shape.advice,
    )


def _clients(clients: tuple[bytes, ...]) -> SafeString:
    named = SafeString(", ".join([name(client, 60) for client in clients[:CLIENTS_SHOWN]]))
    more_count = len(clients) - CLIENTS_SHOWN
    return format_html("{} and {} more", named, more_count) if more_count > 0 else named


def shown_entries(entries: Iterable[Entry], *, shows: bool) -> list[ShownEntry]:
    return [_entry(entry, shows=shows) for entry in entries]


def _entry(entry: Entry, *, shows: bool) -> ShownEntry:
    return ShownEntry(
        edge=class_of("edge-crit" if entry.shape.effect == BLOCKS_ALL else ""),
        when=ago(entry.at),
        took=duration(entry.took_s),
        command=_command_of(entry, shows=shows),
        arguments=_arguments(entry),
        client_name=format_html('<b class="strong">{}</b> ', name(entry.client_name, 60))
        if entry.client_name
        else NOTHING,
        client=name(entry.client, 60),
        own=OWN if entry.is_own else NOTHING,
    )


def _command_of(entry: Entry, *, shows: bool) -> SafeString:
    if shows:
        return SafeString(" ".join([name(word, 128) for word in entry.words]))
    return format_html('<b class="strong">{}</b> {}', entry.shape.name, entry.shape.arguments)


def _arguments(entry: Entry) -> SafeString:
    size = bytes_iec(entry.arguments_bytes)
    if entry.is_cut:
        size = format_html('<span title="The log keeps the first 31 arguments only.">≥ {}</span>', size)
    return SafeString(f"{count(entry.arguments_count)}, {size}")


def shown_commands(commands: Iterable[CommandFigures]) -> list[ShownCommand]:
    return [_command(command) for command in commands]


def _command(command: CommandFigures) -> ShownCommand:
    return ShownCommand(
        edge=class_of("edge-warn" if command.is_blocking else ""),
        name=command.name,
        tag=BLOCKS_TAG if command.is_blocking else NOTHING,
        share_bar=bar(command.share_ratio, "s6", classes="share"),
        share=percent(command.share_ratio),
        calls=count(command.calls_count),
        per_call=duration(command.per_call_s),
        total=duration(command.total_s),
        rejected=count(command.rejected_count),
        failed=count(command.failed_count),
    )

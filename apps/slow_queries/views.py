"""The pages of what is slow: a slow log or statement statistics by kind of server, and one statement in full."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from apps.engine.target import Kind, Target
from apps.servers.access import server_page
from apps.servers.fragments import part
from apps.servers.looking import Look, look
from apps.servers.models import Server
from apps.servers.panels import Panel, read_panel
from apps.slow_queries import words
from apps.slow_queries.reads.commands import command_statistics, latency
from apps.slow_queries.reads.slowlog import Entry, SlowLog, grouped, slow_log
from apps.slow_queries.reads.statements import (
    Order,
    StatementRow,
    Statements,
    running,
    statement,
    statements,
)
from apps.slow_queries.shown import shown_commands, shown_entries, shown_groups, shown_statements

ORDER_TITLES = {Order.TIME: "By time", Order.MEAN: "By mean", Order.CALLS: "By calls"}
COMMANDS_SHOWN = 40
ENTRIES_SHOWN = 30
BIGGEST_ID = 2**63


@server_page("activity.view")
def slow(request: HttpRequest, server: Server) -> HttpResponse:
    seen = look(request, server)
    target = _target(server, seen)
    return _slow_log(request, server, seen, target) if server.is_redis else _statements(request, server, seen, target)


def _slow_log(request: HttpRequest, server: Server, seen: Look, target: Callable[[], Target]) -> HttpResponse:
    log = read_panel(lambda: slow_log(target()))
    groups = grouped(log.value.entries) if log.value else ()
    heading = words.slow_log_heading(log.value, groups) if log.value else "The slow log cannot be read"
    commands = read_panel(lambda: command_statistics(target()))
    context = {
        "server": server,
        "look": seen,
        "log": log,
        "groups": groups,
        "group_rows": shown_groups(groups),
        "entries": shown_entries(_entries(log, everything=request.GET.get("all") == "1"), shows=seen.shows),
        "heading": heading,
        "band": words.band(group.share_ratio for group in groups),
        "latency": read_panel(lambda: latency(target())),
        "commands": commands,
        "command_rows": shown_commands(commands.value.commands[:COMMANDS_SHOWN] if commands.value else ()),
        "commands_shown": COMMANDS_SHOWN,
    }
    return render(request, part(request, "slow_queries/redis.html", "slow-log"), context)


def _entries(log: Panel[SlowLog], *, everything: bool) -> tuple[Entry, ...]:
    entries = log.value.entries if log.value else ()
    return entries if everything else entries[:ENTRIES_SHOWN]


def _statements(request: HttpRequest, server: Server, seen: Look, target: Callable[[], Target]) -> HttpResponse:
    order = _order(request)
    own = request.GET.get("own") == "1"
    panel: Panel[Statements] = read_panel(lambda: statements(target(), order=order, own=own))
    rows = panel.value.rows if panel.value else ()
    heading = words.statements_heading(panel.value, order) if panel.value else "Statements cannot be told"
    context = {
        "server": server,
        "look": seen,
        "panel": panel,
        "heading": heading,
        "rows": shown_statements(server, rows, shows=seen.shows),
        "most_share": max((row.share_ratio for row in rows), default=0),
        "band": words.band(row.share_ratio for row in rows) if order is Order.TIME else (),
        "order": order.name.lower(),
        "orders": [(each.name.lower(), title) for each, title in ORDER_TITLES.items()],
        "own": own,
        "running": read_panel(lambda: running(target())),
    }
    return render(request, part(request, "slow_queries/postgres.html", "statements"), context)


@server_page("activity.view", kind=Kind.POSTGRES)
def one(request: HttpRequest, server: Server, queryid: str) -> HttpResponse:
    """One statement: its text, and all figures for each account."""
    seen = look(request, server)
    number = _queryid(queryid)
    target = _target(server, seen)
    panel: Panel[tuple[StatementRow, ...]] = read_panel(lambda: statement(target(), queryid=number))
    rows = panel.value or ()
    context = {
        "server": server,
        "look": seen,
        "panel": panel,
        "queryid": number,
        "rows": rows,
        "first": rows[0] if rows else None,
        "heading": words.statement_heading(rows),
        "calls_count": sum(row.calls_count for row in rows),
        "total_s": sum(row.run_s + row.plan_s for row in rows),
        "rows_count": sum(row.rows_count for row in rows),
    }
    return render(request, "slow_queries/statement.html", context)


def _target(server: Server, seen: Look) -> Callable[[], Target]:
    """The target is built inside a panel, and once: a secret that cannot be opened fails the panels, not the page."""
    return cache(lambda: server.target().at(seen.address))


def _order(request: HttpRequest) -> Order:
    return next((each for each in Order if each.name.lower() == request.GET.get("sort")), Order.TIME)


def _queryid(text: str) -> int:
    """Errors: Http404 for what no statement is named by (64 bits with a sign)."""
    if not text.removeprefix("-").isdecimal() or not text.isascii() or len(text) > 20:
        raise Http404("no such statement")
    number = int(text)
    if not -BIGGEST_ID <= number < BIGGEST_ID:
        raise Http404("no such statement")
    return number

"""The upkeep page of one server. Each panel asks for itself and fails alone; a fragment asks for its own panel only.

Of a PostgreSQL the whole cluster and one database are asked over two sessions, side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.engine.errors import Gone, Unreachable
from apps.engine.target import Target
from apps.operations.buttons import row_link
from apps.servers.access import server_page
from apps.servers.fragments import fragment
from apps.servers.models import Server
from apps.servers.panels import Panel, read_panel
from apps.upkeep.reads import indexes, postgres_settings, redis_settings, sequences, tables, wal
from apps.upkeep.reads import redis as node
from apps.upkeep.reads.remark import Remark, ranked, safe_name
from apps.upkeep.shown import ShownSetting, levers_of, long_rows, shown_settings

Questions = Mapping[str, Callable[[], Any]]
STRIKES_MOST = 2


@server_page("upkeep.view")
def upkeep(request: HttpRequest, server: Server) -> HttpResponse:
    return _redis(request, server) if server.is_redis else _postgres(request, server)


def asked_panel(request: HttpRequest, lanes: Sequence[Questions]) -> str:
    """The panel that htmx asks for, or "" for the whole page."""
    wanted = fragment(request)
    return wanted if any(wanted in lane for lane in lanes) else ""


def read_all(lanes: Sequence[Questions], only: str, *, reach: Callable[[], Any]) -> dict[str, Panel[Any]]:
    """Panels by name, with "_" for "-" so that templates can say them; or the one named `only`.

    `reach` connects; where it fails nothing is asked. Lanes are asked side by side, so each needs a session of its own and
    must not ask the console's database; the first is asked in the thread of the request.
    """
    reached = read_panel(reach)
    asked = [{only: lane[only]} if only else lane for lane in lanes if not only or only in lane]
    if not reached.ok:
        return {_said(name): reached for lane in asked for name in lane}
    first, *others = asked
    if not others:
        return _in_turn(first)
    with ThreadPoolExecutor(max_workers=len(others), thread_name_prefix="upkeep") as pool:
        later = [pool.submit(_in_turn, lane) for lane in others]
        panels = _in_turn(first)
    return panels | {name: panel for each in later for name, panel in each.result().items()}


def _said(name: str) -> str:
    return name.replace("-", "_")


def _in_turn(questions: Questions) -> dict[str, Panel[Any]]:
    """One question after the other. After two in turn that were not answered in time the rest is not asked.

    So a server that hangs costs its page two time-outs, not ten.
    """
    panels: dict[str, Panel[Any]] = {}
    failed, strikes_count = None, 0
    for name, question in questions.items():
        panel = failed if failed and strikes_count >= STRIKES_MOST else read_panel(question)
        if isinstance(panel.error, Unreachable):
            failed, strikes_count = panel, strikes_count + 1
        panels[_said(name)] = panel
    return panels


def _page(
    request: HttpRequest,
    template: str,
    lanes: Sequence[Questions],
    context: dict[str, Any],
    *,
    reach: Callable[[], Any],
    rows: Callable[[dict[str, Panel[Any]]], dict[str, Any]],
) -> HttpResponse:
    """`rows` makes of the panels what their long tables show."""
    only = asked_panel(request, lanes)
    panels = read_all(lanes, only, reach=reach)
    context |= {"panels": panels, **rows(panels)}
    if only:
        return render(request, f"{template}#{only}", context)
    return render(request, template, context | _heading(panels, context["roles"]))


def _heading(panels: Mapping[str, Panel[Any]], roles: frozenset[str]) -> dict[str, Any]:
    remarks = ranked(r for name, panel in panels.items() if panel.ok for r in _remarks(name, panel.value, roles))
    return {
        "remarks": remarks,
        "trouble": [remark for remark in remarks if remark.is_trouble],
        "failed_count": sum(1 for panel in panels.values() if not panel.ok),
    }


def _remarks(name: str, value: Any, roles: frozenset[str]) -> Iterable[Remark]:
    """What a panel has to say in the heading."""
    match name:
        case "upkeep_node":
            found: Iterable[Remark] = value.remarks(roles)
            return found
        case "upkeep_databases":
            return tables.age_remarks(value)
        case "upkeep_archiver":
            return [value.remark] if value.remark else []
        case "upkeep_slots":
            return [slot.remark for slot in value if slot.remark and slot.remark.is_trouble]
        case "upkeep_sequences":
            return [
                Remark(signal=s.signal, short=f"{safe_name(s.name)} nears its end")
                for s in value
                if s.signal in ("warn", "crit")
            ]
        case "upkeep_tables":
            late = [table for table in value if table.remark and table.remark.is_trouble]
            return [Remark(signal="warn", short=f"{safe_name(late[0].name)}: {late[0].remark.short}")] if late else []
        case "upkeep_indexes":
            return [
                Remark(signal="crit", short=f"{safe_name(f.index.name)} is invalid")
                for f in value.findings
                if f.remark.signal == "crit"
            ]
        case "upkeep_settings":
            return [s.in_heading for s in value if s.remark and s.remark.is_trouble] if isinstance(value, tuple) else []
        case _:
            return []


# -- Redis -------------------------------------------------------------------------------------------------------------


def _redis(request: HttpRequest, server: Server) -> HttpResponse:
    addresses = server.address_list()
    address = next((a for a in addresses if str(a) == request.GET.get("node")), addresses[0])
    roles = frozenset(server.roles)
    target = cache(server.target)
    questions: Questions = {
        "upkeep-node": lambda: node.node_state(target(), address=address),
        "upkeep-settings": lambda: redis_settings.settings_of(target(), roles=roles, address=address),
        "upkeep-report": lambda: node.memory_report(target(), address=address),
    }
    context = {"server": server, "roles": roles, "addresses": addresses, "address": address}
    return _page(
        request, "upkeep/redis.html", [questions], context, reach=lambda: node.reach(target(), address=address),
        rows=lambda panels: _settings(request, server, str(address), panels),
    )  # fmt: skip


def _settings(
    request: HttpRequest, server: Server, address: str, panels: Mapping[str, Panel[Any]]
) -> dict[str, tuple[ShownSetting, ...]]:
    panel = panels.get("upkeep_settings")
    known = panel.value.known if panel is not None and panel.value else ()
    return {"settings": shown_settings(known, row_link(request, "upkeep.config_set", server, node=address))}


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


def _postgres(request: HttpRequest, server: Server) -> HttpResponse:
    database = request.GET.get("database") or server.database or "postgres"
    target = read_panel(server.target)
    context = {
        "server": server,
        "roles": frozenset(server.roles),
        "database": database,
        "address": server.address_list()[0],
    }
    if target.value is None:
        return render(request, "upkeep/unusable.html", context | {"error": target.error})
    reachable = target.value
    lanes = [_of_cluster(reachable), _of_database(reachable, database)]
    levers = levers_of(request, server, database)
    return _page(
        request, "upkeep/postgres.html", lanes, context, reach=lambda: tables.reach(reachable),
        rows=lambda panels: long_rows(panels, levers),
    )  # fmt: skip


def _of_cluster(target: Target) -> dict[str, Callable[[], Any]]:
    return {
        "upkeep-databases": lambda: tables.databases(target),
        "upkeep-settings": lambda: postgres_settings.settings_of(target),
        "upkeep-archiver": lambda: wal.archiver(target),
        "upkeep-slots": lambda: wal.slots(target),
    }


def _of_database(target: Target, database: str) -> dict[str, Callable[[], Any]]:
    """Questions that are asked inside one database. A name that no server could have is not sent to one."""
    if len(database.encode()) > 63 or "\0" in database:
        return {f"upkeep-{name}": _gone for name in ("tables", "indexes", "sequences", "oldest", "vacuums")}
    return {
        "upkeep-tables": lambda: tables.tables(target, database=database),
        "upkeep-indexes": lambda: indexes.index_review(target, database=database),
        "upkeep-sequences": lambda: sequences.sequences(target, database=database),
        "upkeep-oldest": lambda: tables.oldest_tables(target, database=database),
        "upkeep-vacuums": lambda: wal.vacuums(target, database=database),
    }


def _gone() -> Any:
    raise Gone("No database has such a name.", way_out="Choose one from the list.")

"""Backups: none can be taken yet, and the pages say so. What they show is what a backup will need, looked at now."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.accounts.access import console_page
from apps.backups.reads.fleet import Prospect, prospect, prospects
from apps.backups.reads.programs import Program, programs
from apps.backups.reads.store import store_of
from apps.engine.errors import EngineError
from apps.engine.target import Profile, Target
from apps.servers.access import server_page, visible_to
from apps.servers.models import Server
from apps.servers.panels import read_panel

FLEET_MOST = 60


def folder() -> Path:
    """Where the files go: beside the console's own data."""
    return Path(settings.DATA) / "backups"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    server: Server
    prospect: Prospect | None
    error: EngineError | None

    @property
    def rank(self) -> int:
        """Servers that could not be backed up come first."""
        if self.error or self.prospect is None or self.prospect.error:
            return 1
        return 2 if self.prospect.fit and self.prospect.fit.fits else 0


@server_page("backups.view")
def server(request: HttpRequest, server: Server) -> HttpResponse:
    found = programs()
    panel = read_panel(lambda: prospect(server.target(Profile.BACKUP), programs=found))
    context = {"server": server, "panel": panel, "programs": found, "store": store_of(folder() / server.key)}
    return render(request, "backups/server.html", context)


@console_page("console.use")
def fleet(request: HttpRequest) -> HttpResponse:
    servers = visible_to(request, "backups.view")
    found = programs()
    rows = sorted(_rows(servers[:FLEET_MOST], found), key=lambda row: (row.rank, row.server.key))
    context = {
        "rows": rows,
        "left_count": len(servers) - len(rows),
        "ready_count": sum(1 for row in rows if row.rank == 2),
        "programs": found,
        "store": store_of(folder()),
    }
    return render(request, "backups/fleet.html", context)


def _rows(servers: list[Server], found: tuple[Program, ...]) -> list[Row]:
    """Secrets are opened here, in the request's own thread; only the servers are asked in parallel."""
    panels = {each.key: read_panel(partial(each.target, Profile.BACKUP)) for each in servers}
    targets: dict[str, Target] = {key: panel.value for key, panel in panels.items() if panel.value}
    asked = prospects(targets, programs=found)
    return [Row(server=each, prospect=asked.get(each.key), error=panels[each.key].error) for each in servers]

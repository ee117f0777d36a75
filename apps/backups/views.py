"""Backups: what was taken, what could be taken, and the files that were opened for whoever asked for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from apps.accounts.access import console_page, operator_of
from apps.backups import folder, handing_out
from apps.backups.handing_out import Opened
from apps.backups.manifest import Part
from apps.backups.reads.fleet import Prospect, prospect, prospects
from apps.backups.reads.programs import Program, programs
from apps.backups.reads.store import store_of
from apps.backups.standing import Standing, standing
from apps.engine.errors import EngineError
from apps.engine.target import Profile, Target
from apps.operations import audit
from apps.operations.actor import actor_of
from apps.operations.models import Run
from apps.operations.models.audit import Phase
from apps.operations.models.runs import OPEN
from apps.servers.access import server_page, visible_to
from apps.servers.models import Server
from apps.servers.panels import read_panel

FLEET_MOST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A server of the fleet: its newest backup, and whether one could be taken."""

    server: Server
    standing: Standing
    prospect: Prospect | None
    error: EngineError | None

    @property
    def rank(self) -> tuple[int, int]:
        """What needs somebody first: those without a whole backup, then those that could not be read."""
        could = 2 if self.prospect and self.prospect.fit and self.prospect.fit.fits else 0
        return self.standing.rank, 1 if self.error or self.prospect is None or self.prospect.error else could


@server_page("backups.view")
def server(request: HttpRequest, server: Server) -> HttpResponse:
    """Cost: a small file and a stat for each of at most 50 backups; one connection to say what could be taken."""
    found, before = programs(), request.GET.get("before", "")
    names = folder.names(server.key)
    panel = read_panel(lambda: prospect(server.target(Profile.BACKUP), programs=found))
    backups = folder.listed(server.key, after=before)
    context = {
        "server": server,
        "standing": standing(server),
        "backups": backups,
        "count": len(names),
        "older": backups[-1].name if backups and backups[-1].name != names[-1] else "",
        "taking": Run.objects.filter(server=server, action__startswith="backups.take_", state__in=OPEN).first(),
        "opened": handing_out.opened_for(operator_of(request), server.key),
        "panel": panel,
        "programs": found,
        "store": store_of(folder.root()),
    }
    return render(request, "backups/server.html", context)


@console_page("console.use")
def fleet(request: HttpRequest) -> HttpResponse:
    servers = visible_to(request, "backups.view")
    found = programs()
    rows = sorted(_rows(servers[:FLEET_MOST], found), key=lambda row: (row.rank, row.server.key))
    context = {
        "rows": rows,
        "left_count": len(servers) - len(rows),
        "well_count": sum(row.standing.is_well for row in rows),
        "kept_count": sum(row.standing.count for row in rows),
        "programs": found,
        "store": store_of(folder.root()),
    }
    return render(request, "backups/fleet.html", context)


def _rows(servers: list[Server], found: tuple[Program, ...]) -> list[Row]:
    """Secrets are opened here, in the request's own thread; only the servers are asked in parallel."""
    panels = {each.key: read_panel(partial(each.target, Profile.BACKUP)) for each in servers}
    targets: dict[str, Target] = {key: panel.value for key, panel in panels.items() if panel.value}
    asked = prospects(targets, programs=found)
    return [
        Row(server=each, standing=standing(each), prospect=asked.get(each.key), error=panels[each.key].error)
        for each in servers
    ]


@require_POST
@server_page("backups.download")
def download(request: HttpRequest, server: Server, number: int, part: str) -> HttpResponseBase:
    """One file of a backup that its operator's run opened: once, as its programs take it. Written down before a byte is sent."""
    found = _opened(request, server, number)
    manifest = found.backup.manifest if found else None
    wanted = manifest.part(part) if manifest else None
    if found is None or wanted is None or part not in found.parts or not _claimed(request, server, found, wanted):
        messages.error(
            request, "This file is not open to you: it was taken, or its time is over. Plan the download again."
        )
        return redirect("backups:server", server.key)
    blocks = folder.content(found.backup, wanted)
    response = StreamingHttpResponse(blocks, content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{server.key}-{found.backup.name[:16]}-{part}"'
    response["Content-Length"] = str(wanted.plain_bytes)
    response["Cache-Control"] = "no-store"
    return response


def _opened(request: HttpRequest, server: Server, number: int) -> Opened | None:
    opened = handing_out.opened_for(operator_of(request), server.key)
    return next((each for each in opened if each.number == number), None)


def _claimed(request: HttpRequest, server: Server, found: Opened, part: Part) -> bool:
    if not handing_out.claim(found, part.name):
        return False
    actor = actor_of(request)
    audit.append(
        Phase.READ, actor=actor.name, action="backups.download", server_key=server.key, environment=server.environment,
        run_number=found.number, result="done", backup=found.backup.name, part=part.name, size_bytes=part.plain_bytes,
        who=actor.facts(server),
    )  # fmt: skip
    return True

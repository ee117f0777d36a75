"""What can be put back, and what an archive holds: names, never values."""

from __future__ import annotations

from itertools import islice

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import Denied, console_page, operator_of
from apps.operations import archives, audit
from apps.operations.actor import actor_of
from apps.operations.catalogue import action_for
from apps.operations.models import StoredArchive
from apps.operations.models.audit import Phase
from apps.operations.seeing import find_run, may_do, may_see_inside, visible_runs
from apps.operations.undoing import SUFFIX
from apps.servers.panels import read_panel

LISTED = 100
NAMES = 200


@require_safe
@console_page("console.use")
def archive(request: HttpRequest) -> HttpResponse:
    """Every archive in scope that is still there, the first to go first. Cost: three queries."""
    operator = operator_of(request)
    rows = StoredArchive.objects.filter(run__in=visible_runs(operator), dropped_at=None)
    found = list(rows.select_related("run__server", "run__operator", "run__plan").order_by("expires_at")[:LISTED])
    shown = [(row, may_do(operator, row.run), f"{row.run.action}{SUFFIX}") for row in found if row.is_there]
    context = {
        "rows": shown,
        "size_bytes": sum(row.size_bytes for row, _, _ in shown),
        "hours": settings.ARCHIVE_HOURS,
        "cap_bytes": settings.ARCHIVE_CAP_BYTES,
    }
    return render(request, "operations/archive.html", context)


@require_safe
@console_page("console.use")
def contents(request: HttpRequest, pk: int) -> HttpResponse:
    """The names an archive holds, 200 a page. Cost: the archive is read up to the page."""
    run = find_run(request, pk)
    operator = operator_of(request)
    request.server = run.server  # type: ignore[attr-defined]
    if not may_see_inside(operator, run):
        raise Denied(action_for(run.action).permission, run.server.place if run.server else None)
    page = (
        max(0, min(int(request.GET.get("page", "0") or 0), 100_000)) if request.GET.get("page", "0").isdecimal() else 0
    )
    kept = archives.originals_of(run)
    panel = read_panel(lambda: list(islice(kept.records(), page * NAMES, page * NAMES + NAMES + 1)) if kept else [])
    records = panel.value or []
    context = {
        "run": run,
        "server": run.server,
        "panel": panel,
        "records": records[:NAMES],
        "page": page,
        "has_more": len(records) > NAMES,
        "archive": getattr(run, "archive", None),
        "may_undo": may_do(operator, run),
        "undo_key": f"{run.action}{SUFFIX}",
    }
    return render(request, "operations/archive_contents.html", context)


@require_POST
@console_page("console.use")
def drop(request: HttpRequest, pk: int) -> HttpResponse:
    """Drop an archive before its time: from then on nothing of it can be put back. Written down."""
    run = find_run(request, pk)
    actor = actor_of(request)
    row = StoredArchive.objects.filter(run=run).first()
    if not may_do(actor.operator, run):
        raise Denied(action_for(run.action).permission, run.server.place if run.server else None)
    if row is not None and not run.is_open:
        with transaction.atomic():
            audit.append(
                Phase.CONSOLE, actor=actor.name, action="archive.drop", server_key=run.server_key,
                environment=run.environment, run_number=run.pk, result="done", who=actor.facts(run.server),
            )  # fmt: skip
            archives.drop(row)
        messages.info(request, f"The archive of run {run.pk} is gone: the run cannot be undone any more.")
    return redirect("operations:archive")

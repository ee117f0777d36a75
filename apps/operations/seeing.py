"""Who may see which plans, runs, archives and audit rows, and how much of them."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from django.utils import timezone

from apps.accounts.access import decide, operator_of
from apps.accounts.models import Operator
from apps.engine.errors import Gone
from apps.operations.catalogue import action_for
from apps.operations.models import AuditEntry, Notice, Run
from apps.servers.access import visible_servers
from apps.servers.models import Server

AUDIT = "audit.view"


def sees_all(operator: Operator) -> bool:
    """Auditors and admins see what everybody did, also on servers that are not registered any more."""
    return decide(operator, AUDIT).allowed


def visible_runs(operator: Operator, servers: Iterable[Server] | None = None) -> QuerySet[Run]:
    """The runs on servers in the operator's scope, newest first; one's own always.

    Cost: two queries beside it, none where the caller has the `servers` in scope already.
    """
    runs = Run.objects.select_related("server", "operator", "plan", "archive")
    if sees_all(operator):
        return runs
    mine = visible_servers(operator) if servers is None else servers
    return runs.filter(Q(server__in=[server.pk for server in mine]) | Q(operator=operator))


def find_run(request: HttpRequest, pk: int) -> Run:
    """Errors: Http404 out of scope."""
    run = visible_runs(operator_of(request)).filter(pk=pk).first()
    if run is None:
        raise Http404("no such run")
    return run


def may_see_inside(operator: Operator, run: Run) -> bool:
    """Whether parameters, samples and commands are shown: they hold names of keys. Who could do it, did it, or audits it, may."""
    return run.operator_id == operator.pk or sees_all(operator) or may_do(operator, run)


def may_do(operator: Operator, run: Run) -> bool:
    """Whether the operator could have run it themselves there."""
    if run.server is None:
        return False
    try:
        action = action_for(run.action)
    except Gone:
        return False
    return decide(operator, action.permission, run.server.place).allowed


def visible_entries(operator: Operator) -> QuerySet[AuditEntry]:
    """One's own rows, or everybody's."""
    entries = AuditEntry.objects.all()
    return entries if sees_all(operator) else entries.filter(actor=operator.username)


def servers_by_key(operator: Operator) -> dict[str, Server]:
    return {server.key: server for server in visible_servers(operator)}


def looked_at(request: HttpRequest) -> None:
    """Whoever has a page open needs no toast that leads there. Cost: one indexed query."""
    leads_here = Notice.objects.filter(operator=operator_of(request), url=request.path, seen_at=None)
    if leads_here.exists():
        leads_here.update(seen_at=timezone.now())

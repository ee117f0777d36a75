"""What waits for a second person, the plan as they see it, and their answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import console_page, operator_of, require
from apps.engine.contracts.action import Refused
from apps.engine.errors import EngineError
from apps.operations import agreeing, guard
from apps.operations.actor import actor_of
from apps.operations.catalogue import action_for
from apps.operations.forms import AnswerForm
from apps.operations.models import Approval, Run
from apps.operations.models.approvals import ApprovalState
from apps.operations.planning import content_of
from apps.operations.seeing import looked_at, sees_all, servers_by_key
from apps.operations.stored import params_shown
from apps.servers.access import find_server
from apps.servers.fragments import part
from apps.servers.panels import read_panel

LISTED = 100


@require_safe
@console_page("console.use")
def approvals(request: HttpRequest) -> HttpResponse:
    """What waits, then what was answered. One's own questions and those of servers in scope. Cost: four queries."""
    operator = operator_of(request)
    rows = Approval.objects.select_related("plan__operator", "plan__server", "plan__run", "answered_by")
    if not sees_all(operator):
        rows = rows.filter(plan__server_key__in=servers_by_key(operator))
    found = list(rows[:LISTED])
    waiting = [row for row in found if row.waits]
    context = {
        "mine": [row for row in waiting if _may_answer(request, row)],
        "waiting": [row for row in waiting if not _may_answer(request, row)],
        "answered": [row for row in found if not row.waits],
    }
    return render(request, part(request, "operations/approvals.html", "approvals"), context)


def _may_answer(request: HttpRequest, row: Approval) -> bool:
    server = row.plan.server
    if server is None or not row.waits:
        return False
    try:
        action = action_for(row.plan.action)
    except EngineError:
        return False
    return operator_of(request) in guard.approvers(action, server, but=row.plan.operator)


@require_safe
@console_page("console.use")
def approval(request: HttpRequest, pk: int) -> HttpResponse:
    """The very plan, what moved since it was counted, who asks and why. Cost: the checks of the action, and eight queries."""
    found = _find(request, pk)
    looked_at(request)
    return _page(request, found, AnswerForm())


def _find(request: HttpRequest, pk: int) -> Approval:
    """Errors: Http404 out of scope."""
    rows = Approval.objects.select_related("plan__operator", "plan__server", "plan__run", "answered_by")
    found = rows.filter(pk=pk).first()
    if found is None or found.plan.server is None:
        raise Http404("no such question")
    find_server(request, found.plan.server_key, "servers.view")
    request.server = found.plan.server  # type: ignore[attr-defined]
    return found


def _page(request: HttpRequest, found: Approval, form: AnswerForm, *, error: EngineError | None = None) -> HttpResponse:
    actor, plan = actor_of(request), found.plan
    action = action_for(plan.action)
    may_answer = _may_answer(request, found)
    looked_s = 0.0
    if may_answer:
        looked_s = (timezone.now() - agreeing.look(found, actor).at).total_seconds()
    context: dict[str, Any] = {
        "approval": found,
        "plan": plan,
        "server": plan.server,
        "action": action,
        "content": content_of(plan),
        "inside": may_answer or plan.operator_id == actor.operator.pk or sees_all(actor.operator),
        "shown": params_shown(action, plan.params),
        "may_answer": may_answer,
        "is_mine": plan.operator_id == actor.operator.pk,
        "looked_s": looked_s,
        "fresh_until": actor.fresh_until,
        "checks": read_panel(lambda: agreeing.checks(found)) if found.waits else None,
        "asked_by_counts": _runs_of(plan.operator_id),
        "form": form,
        "error": error,
    }
    return render(request, "operations/approval.html", context, status=422 if form.errors or error else 200)


def _runs_of(operator_id: int) -> dict[str, int]:
    since = timezone.now() - timedelta(days=30)
    counted = Run.objects.filter(operator_id=operator_id, created_at__gt=since).order_by().values_list("state")
    return dict(counted.annotate(Count("pk")))


@require_POST
@console_page("console.use")
def answer(request: HttpRequest, pk: int) -> HttpResponse:
    """Agree or deny. Agreeing starts nothing."""
    found = _find(request, pk)
    assert found.plan.server is not None
    require(request, guard.ANSWER, found.plan.server.place)
    form = AnswerForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form)
    state = ApprovalState(form.cleaned_data["answer"])
    try:
        agreeing.answer(found, actor_of(request), state=state, comment=form.cleaned_data["comment"])
    except (Refused, EngineError) as refused:
        found.refresh_from_db()
        return _page(request, found, form, error=refused)
    said = "agreed" if state == ApprovalState.AGREED else "denied"
    messages.info(request, f"You {said}. {found.plan.operator.username} is told.")
    return redirect("operations:approvals")

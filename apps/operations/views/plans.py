"""From the button of an action to its run: the form, the plan with what the environment asks for, and the button itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import Denied, NeedsSudo, console_page, declared, operator_of, permit, require
from apps.accounts.limits import TooManyTries
from apps.engine.contracts.action import AnyAction, Refused
from apps.engine.errors import EngineError, Gone
from apps.operations import agreeing, execution, guard, planning
from apps.operations.actor import Actor, actor_of
from apps.operations.catalogue import action_for
from apps.operations.forms import ActionForm, GivenForm
from apps.operations.guard import Given
from apps.operations.models import Plan
from apps.operations.models.plans import PlanState
from apps.operations.planning import content_of, make_plan, note_denied
from apps.operations.seeing import looked_at
from apps.operations.stored import params_shown
from apps.operations.tokens import is_good, token_for
from apps.servers.access import find_server
from apps.servers.fragments import part
from apps.servers.models import Server

log = structlog.get_logger(__name__)


@declared("servers.view")
def start(request: HttpRequest, key: str, action: str) -> HttpResponse:
    """The form of an action; by POST its plan. A plan that cannot be made says why, with everything typed still there."""
    server = find_server(request, key, "servers.view")
    request.server = server  # type: ignore[attr-defined]  # the frame shows the server bar for it
    chosen = _action(action, server)
    actor = actor_of(request)
    try:
        guard.check_may_plan(actor.operator, chosen, server)
    except (Denied, TooManyTries, Refused) as refused:
        if request.method == "POST" or isinstance(refused, Denied):
            note_denied(actor, chosen, server, why=str(refused), at="plan")
        if isinstance(refused, Denied):
            refused.noted = True
        if isinstance(refused, Refused):
            return _form_page(request, server, chosen, ActionForm(chosen, initial=_known(request, chosen)), refused)
        raise
    if request.method != "POST":
        return _empty_form(request, server, chosen)
    form = ActionForm(chosen, request.POST)
    if not form.is_valid():
        return _form_page(request, server, chosen, form)
    try:
        plan = make_plan(actor, chosen, server, form.params())
    except EngineError as error:
        if isinstance(error, Refused) and error.field in form.fields:
            form.add_error(error.field, error.message)
            return _form_page(request, server, chosen, form)
        return _form_page(request, server, chosen, form, error)
    return redirect("operations:plan", plan.uid)


def _empty_form(request: HttpRequest, server: Server, action: AnyAction) -> HttpResponse:
    """What the button brought, and what the action reads from the server to begin with, for whoever may see that."""
    known: dict[str, Any] = _known(request, action)
    if action.reveals:
        require(request, action.reveals, server.place)
    form = ActionForm(action, initial=known)
    try:
        known |= action.prefill(server.target(action.profile), form.fixed_values())
    except EngineError as error:
        return _form_page(request, server, action, form, error)
    return _form_page(request, server, action, ActionForm(action, initial=known))


def _action(key: str, server: Server) -> AnyAction:
    try:
        return action_for(key, kind=server.kind)
    except Gone as gone:
        raise Http404(gone.message) from gone


def _known(request: HttpRequest, action: AnyAction) -> dict[str, str]:
    """What the button brought. A GET plans nothing: it fills the form in."""
    return {name: request.GET[name] for name in ActionForm(action).fields if name in request.GET}


def _form_page(
    request: HttpRequest, server: Server, action: AnyAction, form: ActionForm, error: EngineError | None = None
) -> HttpResponse:
    context = {"server": server, "action": action, "form": form, "error": error}
    return render(request, "operations/start.html", context, status=422 if form.errors or error else 200)


# -- the plan ----------------------------------------------------------------------------------------------------------


@require_safe
@console_page("console.use")
def plan(request: HttpRequest, uid: UUID) -> HttpResponse:
    """One's own plan: what would happen, and what is asked for before it does."""
    found = _own_plan(request, uid)
    if run := getattr(found, "run", None):
        return redirect("operations:run", run.pk)
    looked_at(request)
    return _plan_page(request, found, given=Given(reason=found.reason))


def _own_plan(request: HttpRequest, uid: UUID) -> Plan:
    """Errors: Http404 for a plan of somebody else, or of a server that is gone or out of scope by now."""
    rows = Plan.objects.select_related("server", "operator", "run", "approval__answered_by")
    found = rows.filter(uid=uid, operator=operator_of(request)).first()
    if found is None or found.server is None:
        raise Http404("no such plan")
    find_server(request, found.server_key, "servers.view")
    request.server = found.server  # type: ignore[attr-defined]
    return found


def _plan_page(
    request: HttpRequest, found: Plan, *, given: Given, missing: bool = False, error: EngineError | None = None
) -> HttpResponse:
    assert found.server is not None
    actor, action = actor_of(request), _action(found.action, found.server)
    context: dict[str, Any] = {
        "plan": found,
        "server": found.server,
        "action": action,
        "shown": params_shown(action, found.params),
        "error": error,
        "missing": missing,
    }
    if found.state == PlanState.READY:
        context |= _guard_context(actor, action, found, given)
    status = 422 if missing else 409 if error else 200
    return render(request, part(request, "operations/plan.html", "plan", "person"), context, status=status)


def _guard_context(actor: Actor, action: AnyAction, found: Plan, given: Given) -> dict[str, Any]:
    server = found.server
    assert server is not None
    need = guard.need_of(action, permit(actor.operator, action.permission, server.place))
    asked = guard.demands(need, actor=actor, plan=found, server=server, action=action, given=given)
    return {
        "content": content_of(found),
        "demands": asked,
        "met_count": sum(demand.met for demand in asked),
        "given": given,
        "token": token_for(actor, found),
        "approval": getattr(found, "approval", None),
        "obstacle": guard.obstacle(action, server),
    }


@require_POST
@console_page("console.use")
def run(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The button. Pressed twice, or once more by the back button, it leads to the same run."""
    found = _own_plan(request, uid)
    form = GivenForm(request.POST)
    form.is_valid()
    given = Given(
        reason=str(form.cleaned_data.get("reason", "")).strip(), name=str(form.cleaned_data.get("name", "")).strip()
    )
    _keep_reason(found, given)
    if request.POST.get("then") == "fresh":
        return redirect("operations:fresh", found.uid)
    actor = actor_of(request)
    if not is_good(str(form.cleaned_data.get("token", "")), actor=actor, plan=found):
        refused = Refused(
            "This page was made for another session, or too long ago.", way_out="Look once more, then press."
        )
        return _denied_page(request, actor, found, given, refused)
    try:
        submission = execution.submit(actor, found, given)
    except execution.NotMet:
        _note(actor, found, "not everything was brought that this environment asks for")
        return _plan_page(request, found, given=given, missing=True)
    except Refused as refused:
        return _denied_page(request, actor, found, given, refused)
    except (Denied, TooManyTries) as denied:
        _note(actor, found, str(denied))
        if isinstance(denied, Denied):
            denied.noted = True
        raise
    return redirect("operations:run", submission.run.pk)


def _keep_reason(found: Plan, given: Given) -> None:
    if given.reason != found.reason:
        Plan.objects.filter(pk=found.pk).update(reason=given.reason[: guard.LONGEST_REASON])


def _denied_page(request: HttpRequest, actor: Actor, found: Plan, given: Given, refused: Refused) -> HttpResponse:
    _note(actor, found, refused.message)
    return _plan_page(request, found, given=given, error=refused)


def _note(actor: Actor, found: Plan, why: str) -> None:
    assert found.server is not None
    note_denied(actor, action_for(found.action), found.server, why=why, at="submit")


@require_safe
@console_page("console.use")
def fresh(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The way to a fresh sign-in, and back to the plan."""
    found = _own_plan(request, uid)
    assert found.server is not None
    if not actor_of(request).is_fresh:
        raise NeedsSudo(action_for(found.action).permission, found.server.place)
    return redirect("operations:plan", found.uid)


@require_POST
@console_page("console.use")
def ask(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Ask a second person. Needs the reason first: it is what they read."""
    found = _own_plan(request, uid)
    given = Given(reason=request.POST.get("reason", "").strip()[: guard.LONGEST_REASON])
    _keep_reason(found, given)
    try:
        agreeing.ask(actor_of(request), found, reason=given.reason)
    except Refused as refused:
        return _plan_page(request, found, given=given, error=refused)
    return redirect("operations:plan", found.uid)


@require_POST
@console_page("console.use")
def drop(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The way out: nothing will come of this plan."""
    found = _own_plan(request, uid)
    if planning.drop(found, by=actor_of(request)):
        messages.info(request, "Nothing was changed; the plan is gone.")
    return redirect("monitoring:server", found.server_key)

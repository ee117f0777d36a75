"""The emergency brake: nothing begins within a frozen scope, and what runs there is stopped after its present step."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from apps.accounts.access import console_page, declared, operator_of, permit, require
from apps.operations import audit, execution
from apps.operations.actor import Actor, actor_of
from apps.operations.forms import FreezeForm
from apps.operations.models import Freeze, Run, freezes_in_force
from apps.operations.models.audit import Phase
from apps.operations.models.runs import OPEN
from apps.servers.models import Server

MANAGE = "freezes.manage"


@declared(MANAGE)
def freezes(request: HttpRequest) -> HttpResponse:
    """What is frozen, and by POST one more freeze."""
    permit(operator_of(request), MANAGE, None)
    form = FreezeForm(request.POST or None)
    if request.method == "POST":
        require(request, MANAGE, None)
        if form.is_valid() and _scope_exists(form):
            _freeze(actor_of(request), form)
            return redirect("operations:freezes")
    in_force = freezes_in_force()
    context = {
        "form": form,
        "in_force": sorted(in_force, key=lambda freeze: freeze.at, reverse=True),
        "past": list(Freeze.objects.exclude(pk__in=[freeze.pk for freeze in in_force])[:50]),
        "environments": list(settings.ENVIRONMENTS),
        "servers": list(Server.objects.values_list("key", flat=True)),
    }
    return render(request, "operations/freezes.html", context, status=422 if form.errors else 200)


def _scope_exists(form: FreezeForm) -> bool:
    scope, key = form.cleaned_data["scope"], form.cleaned_data["key"]
    if scope == "environment" and key not in settings.ENVIRONMENTS:
        form.add_error("key", "There is no such environment.")
    if scope == "server" and not Server.objects.filter(key=key).exists():
        form.add_error("key", "There is no such server.")
    return not form.errors


def _freeze(actor: Actor, form: FreezeForm) -> None:
    cleaned = form.cleaned_data
    scope, key = cleaned["scope"], cleaned["key"] if cleaned["scope"] != "all" else ""
    until = timezone.now() + timedelta(hours=cleaned["hours"]) if cleaned["hours"] else None
    with transaction.atomic():
        freeze = Freeze.objects.create(scope=scope, key=key, reason=cleaned["reason"], by=actor.name, until=until)
        audit.append(
            Phase.CONSOLE, actor=actor.name, action="freeze.begin", result="done", scope=str(freeze),
            reason=cleaned["reason"], until=until.isoformat() if until else "", who=actor.facts(),
        )  # fmt: skip
    for run in _covered(freeze):
        execution.ask_to_stop(run, by=actor)


def _covered(freeze: Freeze) -> list[Run]:
    where = {"all": Q(), "environment": Q(environment=freeze.key), "server": Q(server_key=freeze.key)}[freeze.scope]
    return list(Run.objects.filter(where, state__in=OPEN))


@require_POST
@console_page(MANAGE)
def lift(request: HttpRequest, pk: int) -> HttpResponse:
    freeze = get_object_or_404(Freeze, pk=pk)
    actor = actor_of(request)
    with transaction.atomic():
        lifted = Freeze.objects.filter(pk=pk, lifted_at=None).update(lifted_at=timezone.now(), lifted_by=actor.name)
        if lifted:
            audit.append(
                Phase.CONSOLE,
                actor=actor.name,
                action="freeze.lift",
                result="done",
                scope=str(freeze),
                who=actor.facts(),
            )
    messages.info(request, f"The freeze of {freeze} is lifted.")
    return redirect("operations:freezes")

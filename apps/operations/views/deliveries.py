"""What was to be told to whom, and what became of it."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import console_page, declared, operator_of, permit
from apps.operations import audit, outbox
from apps.operations.actor import actor_of
from apps.operations.channels import CHANNELS
from apps.operations.models import Message
from apps.operations.models.audit import Phase
from apps.operations.models.deliveries import MessageState
from apps.servers.fragments import part

MANAGE = "freezes.manage"
PAGE = 100
FILTERS = ("state", "channel", "q")


@require_safe
@declared(MANAGE)
def deliveries(request: HttpRequest) -> HttpResponse:
    """Newest first. Cost: four queries."""
    permit(operator_of(request), MANAGE, None)
    chosen = _filtered(request)
    before = request.GET.get("before", "")
    paged = chosen.filter(pk__lt=int(before)) if before.isdecimal() and len(before) < 18 else chosen
    rows = list(paged[: PAGE + 1])
    context = {
        "rows": rows[:PAGE],
        "next": rows[PAGE - 1].pk if len(rows) > PAGE else None,
        "counts": _counts(),
        "states": MessageState.values,
        "late_count": outbox.late_count(),
        "failing_count": Message.objects.filter(state=MessageState.WAITING).exclude(error="").count(),
        "filters": _asked(request),
        "channels": list(CHANNELS),
        "is_told": bool(settings.NOTIFY_WEBHOOKS or settings.EMAIL_HOST),
    }
    return render(request, part(request, "operations/deliveries.html", "deliveries"), context)


def _counts() -> dict[str, int]:
    """As the template names them."""
    by_state = outbox.counts()
    return {
        "waiting": by_state["waiting"],
        "under_way": by_state["handed"] + by_state["delivering"],
        "delivered": by_state["delivered"],
        "given_up": by_state["given up"],
    }


def _asked(request: HttpRequest) -> dict[str, str]:
    return {name: request.GET.get(name, "").replace("\x00", "")[:80] for name in FILTERS}


def _filtered(request: HttpRequest) -> QuerySet[Message]:
    asked, found = _asked(request), Message.objects.all()
    if asked["state"] in MessageState.values:
        found = found.filter(state=asked["state"])
    if asked["channel"] in CHANNELS:
        found = found.filter(channel=asked["channel"])
    return found.filter(place__icontains=asked["q"]) if asked["q"] else found


@require_POST
@console_page(MANAGE)
def again(request: HttpRequest) -> HttpResponse:
    """Try one that was given up again, or all that the filters choose. Written down."""
    actor = actor_of(request)
    number = request.POST.get("message", "")
    chosen = Message.objects.filter(pk=int(number)) if number.isdecimal() and len(number) < 18 else _filtered(request)
    with transaction.atomic():
        tried_count = outbox.try_again(chosen)
        if tried_count:
            audit.append(
                Phase.CONSOLE, actor=actor.name, action="message.again", result="done", messages=tried_count,
                message=number, who=actor.facts(),
            )  # fmt: skip
    if tried_count:
        messages.success(request, f"{tried_count:,} message{'s' * (tried_count != 1)} will be tried again at once.")
    else:
        messages.info(request, "Nothing that was given up is left there: somebody tried it again already.")
    kept = urlencode({name: value for name, value in _asked(request).items() if value})
    response = redirect("operations:deliveries")
    response["Location"] += f"?{kept}" if kept else ""
    return response

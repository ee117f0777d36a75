"""Hears of what other parts of the console decide, and writes it down."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.addresses import client_address
from apps.accounts.events import Event, Kind, happened
from apps.operations import audit
from apps.operations.actor import actor_of
from apps.operations.models import AuditEntry
from apps.operations.models.audit import Phase

PHASES = {Kind.SIGN_IN: Phase.SIGN_IN, Kind.DENIED: Phase.DENIED, Kind.READ: Phase.READ, Kind.CHANGE: Phase.CONSOLE}
# A page that refreshes itself looks on: what is looked at again within this time is the same look.
SAME_LOOK = timedelta(minutes=10)
LOOKED_THROUGH = 20


@receiver(happened)
def write_down(event: Event, **_: Any) -> None:
    """Errors: whatever the database says; then what is told of does not happen."""
    facts = {**event.facts, **_where(event)}
    if _is_same_look(event, facts.get("page", "")):
        return
    audit.append(
        PHASES[event.kind], actor=event.actor[:64], action=event.action, server_key=event.server_key,
        environment=event.environment, result=event.result, **facts,
    )  # fmt: skip


def _where(event: Event) -> dict[str, Any]:
    """From where it was done, and on which page."""
    request = event.request
    if request is None:
        return {}
    if not request.user.is_authenticated:
        return {"who": {"address": client_address(request)}}
    return {"who": actor_of(request).facts(), "page": _page(request) if event.kind in (Kind.DENIED, Kind.READ) else ""}


def _page(request: HttpRequest) -> str:
    """What was asked for, without what only says which part of the page."""
    return f"{request.method} {request.get_full_path()}"[:400]


def _is_same_look(event: Event, page: str) -> bool:
    """Whether a GET of this very page was written down lately. Cost: one query over an index."""
    if event.request is None or event.request.method not in ("GET", "HEAD"):
        return False
    lately = AuditEntry.objects.filter(
        phase=PHASES[event.kind], actor=event.actor, action=event.action, server_key=event.server_key,
        at__gt=timezone.now() - SAME_LOOK,
    )  # fmt: skip
    payloads = lately.values_list("payload", flat=True)[:LOOKED_THROUGH]
    return any(msgspec.json.decode(payload)["facts"].get("page") == page for payload in payloads)

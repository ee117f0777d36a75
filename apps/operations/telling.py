"""Tells people what happened while they looked elsewhere: a toast on their pages, and a message in the outbox.

Both are written in the transaction of the event. Neither holds names of keys, values or parameters: the run's page has those, for
whoever may see them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.urls import reverse

from apps.accounts.models import Operator
from apps.engine import text
from apps.engine.contracts.plan import Outcome, Sentence
from apps.history import timeline
from apps.operations.channels.webhook import place_of
from apps.operations.models import Approval, Message, Notice, Run

SIGNALS = {"done": "ok", "cancelled": "info", "partial": "warn", "failed": "crit", "unknown": "crit"}


def plain(sentence: Sentence) -> str:
    """A sentence as one text: names with escapes for what cannot be seen."""
    return "".join(text.plain(piece.name) if piece.name is not None else piece.text for piece in sentence)


def run_began(run: Run, *, title: str) -> None:
    """A mark on the timeline of its server, once however often it is resumed. Cost: one INSERT."""
    words = f"{title}, by {run.operator.username}"
    timeline.note(
        "run", words, server=run.server, at=run.started_at, signal="run", key=_mark(run),
        url=reverse("operations:run", args=[run.pk]),
    )  # fmt: skip


def mark_ended(run: Run, outcome: Outcome) -> None:
    """What came of it, on the timeline. Cost: one query; nothing for a run that never began."""
    timeline.ended(_mark(run), at=run.finished_at, signal=SIGNALS[outcome.ending.value], more=outcome.ending.value)


def _mark(run: Run) -> str:
    return f"run:{run.pk}"


def run_ended(run: Run, outcome: Outcome) -> None:
    """To the one who started it, unless they watched it happen: an inline run answers on its own page."""
    if run.inline:
        return
    url = reverse("operations:run", args=[run.pk])
    words = f"Run {run.pk} on {run.server_key}: {outcome.ending.value}"
    _toast(run.operator, SIGNALS[outcome.ending.value], words, url, server_key=run.server_key)
    _message("run ended", [run.operator], words, url, state=outcome.ending.value, run=run.pk, server=run.server_key,
             environment=run.environment, action=run.action)  # fmt: skip


def approval_asked(approval: Approval, people: Iterable[Operator]) -> None:
    """To everybody who could answer."""
    plan = approval.plan
    people = list(people)
    url = reverse("operations:approval", args=[approval.pk])
    words = f"{plan.operator.username} asks you to agree to a plan on {plan.server_key}"
    for person in people:
        _toast(person, "warn", words, url, server_key=plan.server_key)
    _message("approval asked", people, words, url, server=plan.server_key, environment=plan.environment, action=plan.action,
             asked_by=plan.operator.username)  # fmt: skip


def approval_answered(approval: Approval) -> None:
    """To the one who asked."""
    plan = approval.plan
    words = f"{approval.answered_by} {approval.state} your plan on {plan.server_key}"
    _toast(
        plan.operator,
        "ok" if approval.state == "agreed" else "warn",
        words,
        reverse("operations:plan", args=[plan.uid]),
        server_key=plan.server_key,
    )


def _toast(operator: Operator, signal: str, words: str, url: str, *, server_key: str) -> None:
    Notice.objects.create(operator=operator, signal=signal, words=words[:200], url=url, server_key=server_key)


def _message(event: str, people: Iterable[Operator], words: str, url: str, **facts: Any) -> None:
    """One message a place: an address of each person who has one, and every webhook."""
    payload = {"event": event, "words": words, "url": f"{settings.PUBLIC_URL}{url}", **facts}
    to_people = [
        Message(event=event, channel="email", place=person.email, operator=person, payload=payload)
        for person in people
        if person.email and settings.EMAIL_HOST
    ]
    to_webhooks = [
        Message(event=event, channel="webhook", place=place_of(url), payload=payload)
        for url in settings.NOTIFY_WEBHOOKS
    ]
    Message.objects.bulk_create([*to_people, *to_webhooks])

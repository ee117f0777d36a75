"""The workers' part: plans and runs, the reaper, what is published again, archives that end, anchors, and the relay to the notifier.

A task carries a number and nothing else. Publishing may fail: what was not published stays in the console's database and is
published again by `keep_going`, so a broker that is down delays work and loses none.
"""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.db.models import Q
from django.utils import timezone

from apps.operations import anchors, archives, audit_chain, execution, outbox, planning, reaping
from apps.operations.models import Plan, Run
from apps.operations.models.plans import PlanState
from apps.operations.models.runs import RunState
from apps.operations.publishing import publish_plan, publish_run

AGAIN_AFTER = timedelta(seconds=30)
MOST_AT_ONCE = 200


@shared_task(name="apps.operations.tasks.run_action", ignore_result=True)
def run_action(pk: int) -> None:
    execution.execute(pk)


@shared_task(name="apps.operations.tasks.make_plan", ignore_result=True)
def make_plan(pk: int) -> None:
    planning.plan_in_background(pk)


@shared_task(name="apps.operations.tasks.keep_going", ignore_result=True)
def keep_going() -> None:
    """Every few seconds: runs whose worker died, runs and plans that wait for a worker, messages that wait for the notifier."""
    reaping.reap()
    for run in _waiting_runs():
        publish_run(run)
    for plan in _waiting_plans():
        publish_plan(plan)
    outbox.relay()


@shared_task(name="apps.operations.tasks.clean_up", ignore_result=True)
def clean_up() -> None:
    """Every few minutes: archives whose time is over, an anchor of the audit, toasts, plans and messages nobody wants any more."""
    archives.drop_expired()
    reaping.forget_old()
    outbox.forget_old()
    anchors.drop_anchor()  # last: it raises where no anchor could be written, and the rest is done by then


@shared_task(name="apps.operations.tasks.check_audit", ignore_result=True)
def check_audit() -> None:
    audit_chain.check()


def _waiting_runs() -> list[Run]:
    """Due, and not published, or so long ago that the broker must have lost it. A second copy does no harm: a run is claimed once."""
    now = timezone.now()
    due = Run.objects.filter(state=RunState.QUEUED, not_before__lte=now, inline=False)
    return list(due.filter(Q(published_at=None) | Q(published_at__lt=now - AGAIN_AFTER)).order_by("pk")[:MOST_AT_ONCE])


def _waiting_plans() -> list[Plan]:
    late = timezone.now() - AGAIN_AFTER
    waiting = Plan.objects.filter(state=PlanState.WAITING, expires_at__gt=timezone.now())
    return list(waiting.filter(Q(heartbeat_at=None) | Q(heartbeat_at__lt=late)).order_by("pk")[:MOST_AT_ONCE])

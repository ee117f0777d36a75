"""Handing work to the workers. Publishing may fail: what was not published stays in the console's database and is published again.

A task carries a number and nothing else, and is named rather than imported: nothing here depends on what it does.
"""

from __future__ import annotations

import structlog
from celery import current_app
from django.utils import timezone
from kombu.exceptions import OperationalError

from apps.operations.models import Plan, Run
from apps.operations.models.plans import PlanState

log = structlog.get_logger(__name__)


def publish_run(run: Run) -> bool:
    """False when the broker did not take it."""
    published = _publish("run_action", run.pk, queue=run.queue)
    if published:
        Run.objects.filter(pk=run.pk).update(published_at=timezone.now())
    return published


def publish_plan(plan: Plan) -> bool:
    published = _publish("make_plan", plan.pk, queue="runs")
    if published:
        Plan.objects.filter(pk=plan.pk, state=PlanState.WAITING).update(heartbeat_at=timezone.now())
    return published


def _publish(task: str, pk: int, *, queue: str) -> bool:
    """Cost: one round trip to the broker; two seconds where it is down."""
    try:
        current_app.send_task(f"apps.operations.tasks.{task}", args=[pk], queue=queue, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("not published", task=task, number=pk, error=type(error).__name__)
        return False
    return True

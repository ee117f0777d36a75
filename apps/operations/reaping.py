"""Runs and plans whose worker is gone: resumed where the action can, closed as unknown where nobody can say what was done."""

from __future__ import annotations

import secrets
from datetime import timedelta

import structlog
from django.utils import timezone

from apps.engine.contracts.plan import Ending, Outcome, say
from apps.engine.errors import EngineError
from apps.operations import locks
from apps.operations.catalogue import action_for
from apps.operations.execution import close
from apps.operations.models import LogLine, Notice, Plan, Run
from apps.operations.models.plans import PlanState
from apps.operations.models.runs import RunState

SILENT_FOR = timedelta(seconds=60)
MOST_TRIES = 5
log = structlog.get_logger(__name__)


def reap() -> int:
    """Every run and plan that was not heard of for a minute. Returns how many were taken from a dead worker."""
    late = timezone.now() - SILENT_FOR
    silent = Run.objects.filter(state=RunState.RUNNING, heartbeat_at__lt=late).select_related(
        "plan", "server", "operator"
    )
    reaped = sum(_reap(run) for run in silent[:100])
    Plan.objects.filter(state=PlanState.PLANNING, heartbeat_at__lt=late).update(
        state=PlanState.FAILED, error="The worker that made this plan ended. Plan it again.", error_kind="stopped"
    )
    return reaped


def _reap(run: Run) -> bool:
    """Take the run from whoever had it; only one reaper gets it."""
    dead, token = run.token, secrets.token_hex(16)
    mine = Run.objects.filter(pk=run.pk, token=dead, state=RunState.RUNNING, heartbeat_at=run.heartbeat_at)
    if not mine.update(token=token, heartbeat_at=timezone.now()):
        return False
    run.token = token
    locks.give_back(dead)
    log.warning("run lost its worker", run=run.pk, worker=run.worker, tries_count=run.tries_count)
    if _can_resume(run):
        LogLine.objects.create(
            run=run, words="The worker ended; another one goes on from the last checkpoint.", warn=True
        )
        Run.objects.filter(pk=run.pk, token=token).update(state=RunState.QUEUED, token="", published_at=None)
        return True
    return close(run, _unknown(run))


def _can_resume(run: Run) -> bool:
    try:
        return action_for(run.action).resumable and run.tries_count < MOST_TRIES and run.stop_asked_at is None
    except EngineError:
        return False


def _unknown(run: Run) -> Outcome:
    words = [
        "Its worker ended before it could say what was done.",
        _lost(run),
        "Look at the server, then plan it again.",
    ]
    return Outcome(ending=Ending.UNKNOWN, said=say(" ".join(filter(None, words))))


def _lost(run: Run) -> str:
    try:
        return action_for(run.action).lost
    except EngineError:
        return ""


def forget_old() -> None:
    """Toasts after a day; plans that became nothing after a week."""
    now = timezone.now()
    Notice.objects.filter(at__lt=now - timedelta(days=1)).delete()
    old = Plan.objects.filter(created_at__lt=now - timedelta(days=7), run=None, approval=None)
    Plan.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:1000])).delete()

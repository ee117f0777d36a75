"""Looks at every server, every few seconds, in the sampling worker; gathers and forgets what was seen."""

from __future__ import annotations

import structlog
from celery import shared_task
from django.utils import timezone

from apps.history import timeline
from apps.history.forecasts import foretell
from apps.history.retention import forget_old
from apps.history.rollups import roll_up
from apps.history.sampler import sample_due

log = structlog.get_logger(__name__)


@shared_task(name="apps.history.tasks.sample", ignore_result=True)
def sample() -> None:
    """One pass over the servers that are due. Safe to run twice at once: servers are claimed."""
    done = sample_due()
    log.info("sampled", asked=done.asked_count, failed=list(done.failed), took_s=round(done.took_s, 3))


@shared_task(name="apps.history.tasks.gather", ignore_result=True)
def gather() -> None:
    """Bring minutes, quarters of an hour and shifts up to date. Safe to run twice: a window gathered again is the same."""
    log.info("gathered", rows=roll_up())


@shared_task(name="apps.history.tasks.foretell", ignore_result=True)
def foretell_all() -> None:
    """Tell anew which figures run into their limits, and when."""
    log.info("foretold", forecasts=foretell())


@shared_task(name="apps.history.tasks.forget", ignore_result=True)
def forget() -> None:
    """Delete what is older than its level is kept, and events of more than 400 days ago."""
    events_gone = timeline.forget(timezone.now() - timeline.KEPT_FOR)
    log.info("forgot", gone=forget_old(), events_gone=events_gone)

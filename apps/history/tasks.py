"""Looks at every server, every few seconds, in the sampling worker."""

from __future__ import annotations

import structlog
from celery import shared_task

from apps.history.sampler import sample_due

log = structlog.get_logger(__name__)


@shared_task(name="apps.history.tasks.sample", ignore_result=True)
def sample() -> None:
    """One pass over the servers that are due. Safe to run twice at once: servers are claimed."""
    done = sample_due()
    log.info("sampled", asked=done.asked_count, failed=list(done.failed), took_s=round(done.took_s, 3))

"""The workers' part: what killed runs left is removed, whether or not another backup is taken."""

from __future__ import annotations

import structlog
from celery import shared_task

from apps.backups import folder

log = structlog.get_logger(__name__)


@shared_task(name="apps.backups.tasks.clean", ignore_result=True)
def clean() -> None:
    if removed := folder.clean():
        log.info("unfinished backups removed", count=removed)

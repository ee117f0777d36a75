"""What the sampling worker does for the registry: find out once a day what the accounts may do."""

from __future__ import annotations

import structlog
from celery import shared_task

from apps.servers.models import Server
from apps.servers.probing import probe_servers
from apps.servers.tries import forget_old_tries

log = structlog.get_logger(__name__)


@shared_task(ignore_result=True)
def probe_all() -> None:
    """Probe every server's rights, and forget old connection tries. Idempotent."""
    for outcome in probe_servers(Server.objects.prefetch_related("credentials")):
        if outcome.error is not None:
            log.warning("rights not probed", server=outcome.server.key, kind=outcome.error.kind)
    forget_old_tries()

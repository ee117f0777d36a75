"""One exclusive run a server at a time. A lock has a token and an end; it is renewed by the run's heartbeat.

Who lost it is fenced off twice: the renewal finds another token, and a run that could not renew for 45 s stops by its own clock,
before the lock ends after 60.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from apps.operations.models import Run, ServerLock

LASTS = timedelta(seconds=60)


def take(run: Run) -> bool:
    """Take the lock of the run's server for its token. False while another run holds it."""
    assert run.server is not None
    now = timezone.now()
    held = {"run": run, "token": run.token, "expires_at": now + LASTS}
    free = ServerLock.objects.filter(server=run.server, expires_at__lte=now)
    mine = ServerLock.objects.filter(server=run.server, token=run.token)
    if (free | mine).update(fence=F("fence") + 1, **held):
        return True
    try:
        with transaction.atomic():
            ServerLock.objects.create(server=run.server, fence=1, **held)
    except IntegrityError:
        return False
    return True


def renew(run: Run) -> bool:
    """False when it is somebody else's by now."""
    mine = ServerLock.objects.filter(server=run.server, token=run.token)
    return bool(mine.update(expires_at=timezone.now() + LASTS))


def give_back(token: str) -> None:
    """Let the next one have it. Nothing when it was lost already."""
    ServerLock.objects.filter(token=token).exclude(token="").update(expires_at=timezone.now(), token="", run=None)


def holder(run: Run) -> Run | None:
    """Which run holds the lock of this one's server now."""
    lock = ServerLock.objects.filter(server=run.server, expires_at__gt=timezone.now()).select_related("run").first()
    return lock.run if lock else None

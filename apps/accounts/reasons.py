"""Written reasons for opening data: given once for a permission at one server, in force for a quarter of an hour."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.utils import timezone

from apps.accounts.limits import TooManyTries
from apps.accounts.models import Operator, ReadReason
from apps.accounts.permissions import TABLE

IN_FORCE = timedelta(minutes=15)
SHORTEST = 10
LONGEST = 400
MOST_AN_HOUR = 60

log = structlog.get_logger(__name__)


def asks_reason(permission: str) -> bool:
    """Whether the table can ask a written reason for reading (T1 is what looks at data)."""
    return permission in TABLE and TABLE[permission].tier == "T1"


def reason_in_force(operator: Operator, permission: str, place_key: str) -> ReadReason | None:
    """The newest reason that still counts. Cost: one indexed query."""
    mine = ReadReason.objects.filter(operator=operator, permission=permission, place_key=place_key)
    return mine.filter(expires_at__gt=timezone.now()).order_by("-at").first()


def give_reason(operator: Operator, *, permission: str, place_key: str, reason: str) -> ReadReason:
    """Store and log a reason. It opens nothing by itself: the table is asked again at every read.

    Errors: TooManyTries for the 61st in an hour.
    """
    now = timezone.now()
    if ReadReason.objects.filter(operator=operator, at__gt=now - timedelta(hours=1)).count() >= MOST_AN_HOUR:
        raise TooManyTries(retry_after_s=3600)
    log.info("reason given", operator=operator.username, permission=permission, place=place_key, reason=reason)
    return ReadReason.objects.create(
        operator=operator, permission=permission, place_key=place_key, reason=reason, at=now, expires_at=now + IN_FORCE
    )

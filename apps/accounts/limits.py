"""How often somebody may try a password: 10 times in 15 minutes from an address, 5 times for one name from it.

Kept in the console's database. A try is written down before it is looked at and then counted, so tries that come at the
same moment count each other: the limit can be met early, never overrun.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from apps.accounts.addresses import counted_address
from apps.accounts.events import Kind, tell
from apps.accounts.models import LoginTry, Operator, Outcome

WINDOW = timedelta(minutes=15)
PER_ADDRESS = 10
PER_NAME_AND_ADDRESS = 5
KEPT_FOR = timedelta(days=7)
UNKNOWN = "unknown"  # a name that is none may be a password, typed into the wrong field

log = structlog.get_logger(__name__)


@dataclass
class TooManyTries(Exception):
    """The limit is met. The answer is 429 with Retry-After, the same for names that exist and names that do not."""

    retry_after_s: int


def begin_try(address: str, name: str) -> LoginTry:
    """Write a try down. Errors: TooManyTries, before any password was looked at. Cost: three queries."""
    address, hashed = counted_address(address), _hash(name)
    LoginTry.objects.filter(at__lt=timezone.now() - KEPT_FOR).delete()
    this = LoginTry.objects.create(address=address, name_hash=hashed, operator=_known(name))
    from_there = LoginTry.objects.filter(address=address, at__gt=this.at - WINDOW).exclude(outcome=Outcome.PASSED)
    for tries, limit in ((from_there, PER_ADDRESS), (from_there.filter(name_hash=hashed), PER_NAME_AND_ADDRESS)):
        if tries.count() > limit:
            _refuse(this, tries.exclude(pk=this.pk), limit)
    return this


def end_try(this: LoginTry, *, passed: bool) -> None:
    this.outcome = Outcome.PASSED if passed else Outcome.FAILED
    this.save(update_fields=["outcome"])
    if not passed:
        tell(
            Kind.SIGN_IN, "session.begin", actor=str(this.operator or UNKNOWN), result="denied",
            facts={"who": {"address": this.address}},
        )  # fmt: skip


def _refuse(this: LoginTry, earlier: QuerySet[LoginTry], limit: int) -> None:
    """Refused tries are a count on the last one that was looked at: whoever hammers fills no table."""
    this.delete()
    newest_first = list(earlier.order_by("-at")[:limit])
    LoginTry.objects.filter(pk__in=[t.pk for t in newest_first[:1]]).update(refused_count=F("refused_count") + 1)
    log.warning("sign-in limited", address=this.address, operator=str(this.operator or "unknown"))
    raise TooManyTries(_wait_s(newest_first[-1].at if newest_first else this.at))


def _wait_s(oldest_at: datetime) -> int:
    return max(1, math.ceil((oldest_at + WINDOW - timezone.now()).total_seconds()))


def _known(name: str) -> Operator | None:
    with suppress(Operator.DoesNotExist):
        return Operator.objects.get(username=name.strip().lower()[:64])
    return None


def _hash(name: str) -> str:
    return salted_hmac("apps.accounts.limits", name.strip().lower(), algorithm="sha256").hexdigest()

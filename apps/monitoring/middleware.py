"""Counts every answered request by route, never by path: paths hold names of servers and keys."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from apps.monitoring.metrics import REQUESTS, SECONDS

Handler = Callable[[HttpRequest], HttpResponse]


class MetricsMiddleware:
    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begun = time.monotonic()
        response = self.handler(request)
        match = request.resolver_match
        route = match.view_name or match.route if match else "unmatched"
        REQUESTS.labels(route, request.method, response.status_code).inc()
        SECONDS.labels(route).observe(time.monotonic() - begun)
        return response

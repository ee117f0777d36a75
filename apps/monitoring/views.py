"""For load balancers and Prometheus. These routes need no sign-in: they tell nothing of the servers (metrics ask for a token)."""

from __future__ import annotations

import hmac

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from apps.accounts.access import public
from apps.monitoring.metrics import exposition
from apps.monitoring.reads import dependencies


@public
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nobody, so a broken database does not get it restarted for ever."""
    return HttpResponse("ok\n", content_type="text/plain")


@public
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 ready or degraded, 503 unready; each dependency with its latency in milliseconds."""
    asked = dependencies()
    unready = any(d.needed and not d.ok for d in asked)
    status = "unready" if unready else "ready" if all(d.ok for d in asked) else "degraded"
    body = {
        "status": status,
        "dependencies": {
            d.name: {"ok": d.ok, "needed": d.needed, "latency_ms": round(d.latency_s * 1000, 1), "message": d.message}
            for d in asked
        },
    }
    return JsonResponse(body, status=503 if unready else 200)


@public
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Errors: 404 while no METRICS_TOKEN is set, 401 without `Authorization: Bearer <token>`."""
    if not settings.METRICS_TOKEN:
        return HttpResponse("Set METRICS_TOKEN to turn metrics on.\n", status=404, content_type="text/plain")
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), settings.METRICS_TOKEN.encode()):
        refused = HttpResponse("A bearer token is needed.\n", status=401, content_type="text/plain")
        refused["WWW-Authenticate"] = "Bearer"
        return refused
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)

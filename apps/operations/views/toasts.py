"""What happened while one looked elsewhere."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import console_page, operator_of
from apps.operations.models import Notice

SHOWN = 4


@require_safe
@console_page("console.use")
def toasts(request: HttpRequest) -> HttpResponse:
    """The newest four that were not seen. Cost: one indexed query."""
    unseen = Notice.objects.filter(operator=operator_of(request), seen_at=None)
    return render(request, "operations/toasts.html", {"toasts": list(unseen[:SHOWN])})


@require_POST
@console_page("console.use")
def seen(request: HttpRequest, pk: int) -> HttpResponse:
    """Follow one, or put it away."""
    notice = Notice.objects.filter(pk=pk, operator=operator_of(request)).first()
    if notice is None:
        return redirect("overview")
    Notice.objects.filter(pk=pk).update(seen_at=timezone.now())
    if "follow" in request.POST:
        return redirect(notice.url)
    return (
        render(request, "operations/toasts.html", {"toasts": []})
        if request.headers.get("HX-Request")
        else redirect("overview")
    )

"""The answers to what is not allowed: sign in, sign in afresh, write a reason, ask somebody who may, wait."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from apps.accounts.access import Denied, NeedsReason, NeedsSecondFactor, NeedsSudo, decide, operator_of, who_may
from apps.accounts.factors import has_second_factor
from apps.accounts.limits import TooManyTries
from apps.accounts.permissions import TABLE, Need
from apps.accounts.reasons import IN_FORCE, LONGEST, SHORTEST

SHOWN_PEOPLE = 8


def same_site(path: str, default: str = "/") -> str:
    """A path of this console, or the default: nobody is sent elsewhere."""
    safe = path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None)
    return path if safe else default


def here(request: HttpRequest) -> str:
    """The page to come back to by GET: this one, or the page that a fragment or a form belongs to.

    A part of the very page one is on, asked for by a query, names the page that would show it: a key opened in a list.
    """
    if request.method == "GET" and not request.headers.get("HX-Request"):
        return request.get_full_path()
    came_from = urlsplit(request.headers.get("HX-Current-URL") or request.headers.get("Referer") or "")
    if came_from.netloc != request.get_host():
        return "/"
    if request.method == "GET" and request.GET and came_from.path == request.path:
        return request.get_full_path()
    return same_site(came_from.path + (f"?{came_from.query}" if came_from.query else ""))


def ask_sign_in(request: HttpRequest) -> HttpResponse:
    return _send(request, f"{reverse('account_login')}?{urlencode({'next': here(request)})}", status=302)


def ask_sudo(request: HttpRequest) -> HttpResponse:
    """To the page that asks the password or a code, and back by GET. What was posted is not sent again by itself."""
    if request.method != "GET":
        messages.info(request, "Nothing was changed: sign in afresh, then do it again.")
    name = "mfa_reauthenticate" if has_second_factor(operator_of(request)) else "account_reauthenticate"
    return _send(request, f"{reverse(name)}?{urlencode({'next': here(request)})}", status=303)


def answer_denied(request: HttpRequest, denied: Denied) -> HttpResponse:
    if isinstance(denied, NeedsSudo):
        return ask_sudo(request)
    if isinstance(denied, NeedsReason):
        return ask_reason(request, denied)
    people = [o.username for o in who_may(denied.permission, denied.place)]
    context = {
        "denied": denied,
        "title": TABLE[denied.permission].title,
        "needs_second_factor": isinstance(denied, NeedsSecondFactor),
        "who_may": people[:SHOWN_PEOPLE],
        "who_may_more": max(0, len(people) - SHOWN_PEOPLE),
        "who_grants": [o.username for o in who_may("operators.manage", None)][:SHOWN_PEOPLE],
    }
    return _page_or_panel(request, "403.html", context, status=403)


def ask_reason(request: HttpRequest, denied: NeedsReason, *, error: str = "") -> HttpResponse:
    """The form that asks a reason; status 403, because nothing was opened."""
    context = {
        "denied": denied,
        "title": TABLE[denied.permission].title,
        "next": here(request),
        "error": error,
        "shortest": SHORTEST,
        "longest": LONGEST,
        "minutes": int(IN_FORCE.total_seconds() // 60),
        "is_sudo": decide(operator_of(request), denied.permission, denied.place).need is Need.SUDO,
    }
    return _page_or_panel(request, "accounts/reason.html", context, status=403)


def answer_limited(request: HttpRequest, limited: TooManyTries) -> HttpResponse:
    response = render(request, "429.html", {"retry_after_s": limited.retry_after_s}, status=429)
    response["Retry-After"] = str(limited.retry_after_s)
    return response


def _page_or_panel(request: HttpRequest, template: str, context: dict[str, object], *, status: int) -> HttpResponse:
    if request.headers.get("HX-Request") == "true":
        panel_id = request.headers.get("HX-Target", "").rpartition("#")[2] or "denied"
        return render(request, f"{template}#panel", {**context, "panel_id": panel_id}, status=status)
    return render(request, template, context, status=status)


def _send(request: HttpRequest, url: str, *, status: int) -> HttpResponse:
    """A fragment cannot be redirected: the whole page is."""
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(status=401, headers={"HX-Redirect": url})
    return HttpResponseRedirect(url) if status == 302 else HttpResponse(status=status, headers={"Location": url})

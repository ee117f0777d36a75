"""Operators, their roles and sessions, and one's own account."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from apps.accounts import people, presence, reads, reasons
from apps.accounts.access import NeedsSudo, console_page, decide, operator_of, public
from apps.accounts.addresses import client_address
from apps.accounts.answers import same_site
from apps.accounts.forms import EmailForm, GrantForm, InviteForm, LockForm, ReadReasonForm, WelcomeForm
from apps.accounts.freshness import fresh_until, is_fresh
from apps.accounts.limits import begin_try, end_try
from apps.accounts.models import Assignment, Operator, Role, ScopeKind


@console_page("operators.view")
@require_safe
def operators(request: HttpRequest) -> HttpResponse:
    return _page(request)


@console_page("operators.view")
@require_safe
def person(request: HttpRequest, username: str) -> HttpResponse:
    return _page(request, picked=_operator(username))


def _page(request: HttpRequest, *, picked: Operator | None = None, status: int = 200, **more: Any) -> HttpResponse:
    persons = reads.people()
    chosen = next((p for p in persons if p.operator == picked), None)
    context = {
        "people": persons,
        "picked": chosen,
        "problems": {word: sum(p.problem == word for p in persons) for word in ("crit", "warn")},
        "roles": list(Role),
        "scope_kinds": list(ScopeKind),
        "environments": list(settings.ENVIRONMENTS),
        "role_table": reads.role_table(),
        "denied_tries": reads.denied_tries(),
        "only_admin": people.only_admin(),
        "sessions": presence.sessions_of(picked) if picked else [],
        "may_manage": decide(operator_of(request), "operators.manage").allowed,
        "fresh_until": fresh_until(request),
        **more,
    }
    return render(request, "accounts/operators.html", context, status=status)


def _operator(username: str) -> Operator:
    return get_object_or_404(Operator, username=username)


def _change(view: Callable[..., str]) -> Callable[..., HttpResponseBase]:
    """A POST that changes one operator: back to their page with a sentence, or with why not."""

    @console_page("operators.manage")
    @require_POST
    @wraps(view)
    def change(request: HttpRequest, username: str, **kwargs: Any) -> HttpResponse:
        operator = _operator(username)
        try:
            messages.success(request, view(request, operator, **kwargs))
        except people.Refused as refused:
            messages.error(request, str(refused))
        return redirect("accounts:person", username=username)

    return change


@_change
def lock(request: HttpRequest, operator: Operator) -> str:
    form = LockForm(request.POST)
    if not form.is_valid():
        raise people.Refused(f"Write why, in {reasons.SHORTEST} characters or more.")
    ended = people.lock(operator, by=_by(request), reason=form.cleaned_data["reason"])
    return f"{operator} is locked; {ended} sessions ended. The roles stay."


@_change
def unlock(request: HttpRequest, operator: Operator) -> str:
    people.unlock(operator, by=_by(request))
    return f"{operator} may sign in again."


@_change
def revoke(request: HttpRequest, operator: Operator, *, assignment_id: int) -> str:
    assignment = get_object_or_404(Assignment.objects.in_force(), pk=assignment_id, operator=operator)
    people.revoke(assignment, by=_by(request))
    return f"{operator} is no longer {assignment.role} there."


@_change
def end_sessions(request: HttpRequest, operator: Operator) -> str:
    own = request.session.session_key if operator == request.user else None
    return f"{presence.end_sessions(operator, but=own)} sessions of {operator} ended."


@_change
def end_session(request: HttpRequest, operator: Operator, *, session_id: int) -> str:
    ended = presence.end_session(operator, session_id)
    return f"The session of {operator} ended." if ended else "That session had ended already."


@_change
def reset_second_factor(request: HttpRequest, operator: Operator) -> str:
    people.reset_second_factor(operator, by=_by(request))
    return f"{operator} signs in with the password alone until a new second factor is set up; all sessions ended."


@console_page("operators.manage")
@require_POST
def grant(request: HttpRequest, username: str) -> HttpResponse:
    operator, form = _operator(username), GrantForm(request.POST)
    if not form.is_valid():
        return _page(request, picked=operator, grant_form=form, status=422)
    try:
        assignment = people.grant(operator, form.grant(), by=_by(request))
    except people.Refused as refused:
        form.add_error(None, str(refused))
        return _page(request, picked=operator, grant_form=form, status=422)
    messages.success(request, f"{operator} is {assignment}.")
    return redirect("accounts:person", username=username)


@console_page("operators.manage")
def invite(request: HttpRequest) -> HttpResponse:
    """GET: the form. POST: the new operator with the one-time code, shown in this answer and never again."""
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data
        try:
            operator, code = people.invite(
                wanted["username"], by=_by(request), name=wanted["name"], note=wanted["note"]
            )
        except people.Refused as refused:
            form.add_error("username", str(refused))
        else:
            return _code_page(request, operator, code)
    return render(request, "accounts/invite.html", {"form": form}, status=422 if form.errors else 200)


@console_page("operators.manage")
@require_POST
def new_code(request: HttpRequest, username: str) -> HttpResponse:
    operator = _operator(username)
    if not operator.may_sign_in:
        messages.error(request, f"{operator} is locked: unlock first.")
        return redirect("accounts:person", username=username)
    return _code_page(request, operator, people.new_code(operator, by=_by(request)))


def _code_page(request: HttpRequest, operator: Operator, code: str) -> HttpResponse:
    context = {"operator": operator, "code": code, "public_url": settings.PUBLIC_URL, "valid": people.CODE_VALID}
    return render(request, "accounts/code.html", context)


def _by(request: HttpRequest) -> str:
    return operator_of(request).username


@console_page("console.use")
@require_POST
def give_reason(request: HttpRequest) -> HttpResponse:
    """Store a reason and go back to the page that asked; that page asks the table again. Errors: TooManyTries."""
    form = ReadReasonForm(request.POST)
    back = same_site(request.POST.get("next", ""))
    if not form.is_valid():
        messages.error(request, f"Nothing was opened: write the reason in {reasons.SHORTEST} characters or more.")
        return HttpResponseRedirect(back)
    given = form.cleaned_data
    reasons.give_reason(
        operator_of(request), permission=given["permission"], place_key=given["place_key"], reason=given["reason"]
    )
    return HttpResponseRedirect(back)


@console_page("own.account")
@require_safe
def own_account(request: HttpRequest) -> HttpResponse:
    return _own_page(request, EmailForm(initial={"email": operator_of(request).email}))


def _own_page(request: HttpRequest, email_form: EmailForm) -> HttpResponse:
    operator = operator_of(request)
    factors = {a.type: a for a in Authenticator.objects.filter(user=operator)}
    codes = factors.get(Authenticator.Type.RECOVERY_CODES)
    context = {
        "assignments": operator.assignments.in_force(),
        "totp": factors.get(Authenticator.Type.TOTP),
        "unused_codes_count": len(codes.wrap().get_unused_codes()) if codes else None,
        "sessions": presence.sessions_of(operator),
        "session_key": request.session.session_key,
        "fresh_until": fresh_until(request),
        "strict": [name for name, policy in settings.ENVIRONMENTS.items() if policy["second_factor"]]
        if settings.REQUIRE_SECOND_FACTOR
        else [],
        "email_form": email_form,
        "is_mailed": bool(settings.EMAIL_HOST),
    }
    return render(request, "accounts/own.html", context, status=422 if email_form.errors else 200)


@console_page("own.account")
@require_POST
def own_email(request: HttpRequest) -> HttpResponse:
    """Where messages to oneself go. After a fresh sign-in: a session left open must not send them elsewhere."""
    if not is_fresh(request):
        raise NeedsSudo("own.account")
    form = EmailForm(request.POST)
    if not form.is_valid():
        return _own_page(request, form)
    email = form.cleaned_data["email"]
    people.set_email(operator_of(request), email, by=_by(request))
    messages.success(request, f"Messages go to {email}." if email else "No messages are sent to you.")
    return redirect("accounts:own")


@console_page("own.account")
@require_POST
def end_own_session(request: HttpRequest, session_id: int) -> HttpResponse:
    if not presence.end_session(operator_of(request), session_id):
        raise Http404("no such session")
    return redirect("accounts:own")


@console_page("own.account")
@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    ended = presence.end_sessions(operator_of(request), but=request.session.session_key)
    messages.success(request, f"{ended} other sessions ended.")
    return redirect("accounts:own")


@public
@sensitive_post_parameters("code", "password1", "password2")
def welcome(request: HttpRequest) -> HttpResponse:
    """Set a password with a one-time code. Limited like a sign-in. Errors: TooManyTries."""
    if request.method != "POST":
        return render(request, "accounts/welcome.html", {"form": WelcomeForm()})
    this = begin_try(client_address(request), request.POST.get("username", ""))
    form = WelcomeForm(request.POST)
    done = form.is_valid() and people.use_code(form.cleaned_data["invitation"], form.cleaned_data["password1"])
    end_try(this, passed=done or bool(form.cleaned_data.get("invitation")))
    if not done:
        return render(request, "accounts/welcome.html", {"form": form}, status=422)
    messages.success(request, "The password is set. Sign in with it.")
    return redirect("account_login")

"""The routes of allauth that this console wants, each with what it asks. What is not here (sign-up, mail) does not exist."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path
from django.views.generic import RedirectView

from apps.accounts import views
from apps.accounts.access import declared, public

View = Callable[..., HttpResponseBase]


def open_to_all(view: View) -> View:
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs)

    return public(answer)


def own(view: View) -> View:
    """A page about one's own account."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs)

    return declared("own.account")(answer)


def clears_browser(view: View) -> View:
    """After signing out, nothing of the console stays in the browser."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if request.method == "POST":
            response["Clear-Site-Data"] = '"cache", "cookies", "storage"'
        return response

    return answer


urlpatterns = [
    path("login/", open_to_all(account.login), name="account_login"),
    path("logout/", open_to_all(clears_browser(account.logout)), name="account_logout"),
    path("inactive/", open_to_all(RedirectView.as_view(pattern_name="account_login")), name="account_inactive"),
    path("2fa/authenticate/", open_to_all(mfa.authenticate), name="mfa_authenticate"),
    path("reauthenticate/", own(account.reauthenticate), name="account_reauthenticate"),
    path("2fa/reauthenticate/", own(mfa.reauthenticate), name="mfa_reauthenticate"),
    path("password/change/", own(account.password_change), name="account_change_password"),
    path("2fa/", own(RedirectView.as_view(pattern_name="accounts:own")), name="mfa_index"),
    path("2fa/totp/activate/", own(totp.activate_totp), name="mfa_activate_totp"),
    path("2fa/totp/deactivate/", own(totp.deactivate_totp), name="mfa_deactivate_totp"),
    path("2fa/recovery-codes/", own(recovery_codes.view_recovery_codes), name="mfa_view_recovery_codes"),
    path(
        "2fa/recovery-codes/generate/", own(recovery_codes.generate_recovery_codes), name="mfa_generate_recovery_codes"
    ),
    path("welcome/", views.welcome, name="account_welcome"),
]

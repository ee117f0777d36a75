"""How allauth behaves here: nobody signs up, tries are limited in our database, one-time seeds are sealed at rest."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from apps.accounts.addresses import client_address
from apps.accounts.freshness import is_fresh
from apps.accounts.limits import begin_try, end_try
from apps.accounts.models import Operator
from apps.engine.secretbox import SecretBox

SEED_CONTEXT = "mfa.Authenticator:data"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    def is_safe_url(self, url: str) -> bool:
        """Paths of this console only: allauth would also follow to any other name in ALLOWED_HOSTS."""
        return url_has_allowed_host_and_scheme(url, allowed_hosts=None) and url.startswith("/")

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Limits are counted by `authenticate`, which knows how a try ended."""

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Operator | None:
        """A locked operator with the right password is told the same as a wrong one. Errors: TooManyTries."""
        this = begin_try(client_address(request), str(credentials.get("username", "")))
        user = super().authenticate(request, **credentials)
        operator = user if isinstance(user, Operator) and user.may_sign_in else None
        end_try(this, passed=operator is not None)
        return operator

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """One meaning of "fresh" for allauth's pages and ours."""
        return not is_fresh(context.request)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("accounts:own")

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """The console sends no mail; what happened to an account is in the log."""


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    def encrypt(self, text: str) -> str:
        return _box(settings.SECRETBOX_KEYS).seal(text, SEED_CONTEXT)

    def decrypt(self, encrypted_text: str) -> str:
        return _box(settings.SECRETBOX_KEYS).open(encrypted_text, SEED_CONTEXT)


@lru_cache(maxsize=4)
def _box(keys: str) -> SecretBox:
    return SecretBox(keys)

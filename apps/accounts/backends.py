"""Who may hold a session: an operator that is active and not locked, asked at every request."""

from __future__ import annotations

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.base_user import AbstractBaseUser

from apps.accounts.models import Operator


class OperatorBackend(AuthenticationBackend):  # type: ignore[misc]
    def user_can_authenticate(self, user: AbstractBaseUser | None) -> bool:
        return isinstance(user, Operator) and user.may_sign_in

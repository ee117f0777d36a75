"""The forms of operators and of one's own account."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.validators import RegexValidator

from apps.accounts import reasons
from apps.accounts.models import Role, ScopeKind
from apps.accounts.people import Grant, find_code

NAME = RegexValidator(r"\A[a-z0-9][a-z0-9._-]*\Z", "Use a-z, 0-9, dot, dash and underscore.")
KEY = RegexValidator(r"\A[A-Za-z0-9][A-Za-z0-9._:-]*\Z", "Use letters, digits, dot, dash, colon and underscore.")


class ReasonField(forms.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_length=reasons.SHORTEST, max_length=200, **kwargs)


class InviteForm(forms.Form):
    username = forms.CharField(max_length=64, validators=[NAME])
    name = forms.CharField(max_length=120, required=False)
    note = forms.CharField(max_length=200, required=False)


class EmailForm(forms.Form):
    """Where messages go; empty for nowhere."""

    email = forms.EmailField(max_length=254, required=False)


class LockForm(forms.Form):
    reason = ReasonField()


class GrantForm(forms.Form):
    """`until` is UTC; empty means no end."""

    role = forms.ChoiceField(choices=Role.choices)
    scope_kind = forms.ChoiceField(choices=ScopeKind.choices)
    scope_key = forms.CharField(max_length=64, required=False, validators=[KEY])
    until = forms.DateTimeField(required=False)
    reason = ReasonField()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        kind, key = cleaned.get("scope_kind"), cleaned.get("scope_key", "")
        if kind == ScopeKind.ALL:
            cleaned["scope_key"] = ""
        elif not key:
            self.add_error("scope_key", "Name the environment, tag or server.")
        elif kind == ScopeKind.ENVIRONMENT and key not in settings.ENVIRONMENTS:
            self.add_error("scope_key", f"There are {', '.join(settings.ENVIRONMENTS)}.")
        return cleaned

    def grant(self) -> Grant:
        cleaned = self.cleaned_data
        return Grant(
            role=Role(cleaned["role"]),
            scope_kind=ScopeKind(cleaned["scope_kind"]),
            scope_key=cleaned["scope_key"],
            expires_at=cleaned["until"].replace(tzinfo=UTC) if cleaned["until"] else None,
            reason=cleaned["reason"],
        )


class ReadReasonForm(forms.Form):
    permission = forms.CharField(max_length=64)
    place_key = forms.CharField(max_length=64, validators=[KEY])
    reason = forms.CharField(min_length=reasons.SHORTEST, max_length=reasons.LONGEST)
    next = forms.CharField(max_length=2000, required=False)

    def clean_permission(self) -> str:
        permission = str(self.cleaned_data["permission"])
        if not reasons.asks_reason(permission):
            raise forms.ValidationError("No reason is asked for that.")
        return permission


class WelcomeForm(forms.Form):
    """A name, the one-time code an admin gave, and the password to be. What is wrong with name or code is not told apart."""

    username = forms.CharField(max_length=64)
    code = forms.CharField(max_length=64)
    password1 = forms.CharField(max_length=256, strip=False)
    password2 = forms.CharField(max_length=256, strip=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        cleaned["invitation"] = invitation = find_code(cleaned["username"], cleaned["code"])
        if invitation is None:
            raise forms.ValidationError(
                "This name and code do not open anything, or not any more. Ask an admin for a new code."
            )
        if cleaned["password1"] != cleaned["password2"]:
            raise forms.ValidationError("The two passwords differ.")
        validate_password(cleaned["password1"], invitation.operator)
        return cleaned

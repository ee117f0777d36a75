"""The second factor: who has one, and taking it from somebody who lost it."""

from __future__ import annotations

from collections.abc import Iterable

from allauth.mfa.models import Authenticator

from apps.accounts.models import Operator


def has_second_factor(operator: Operator) -> bool:
    """Recovery codes alone are none. Cost: one indexed query, once a request (kept on the operator object)."""
    kept: bool | None = getattr(operator, "_has_second_factor", None)
    if kept is None:
        kept = Authenticator.objects.filter(user=operator, type=Authenticator.Type.TOTP).exists()
        operator._has_second_factor = kept  # type: ignore[attr-defined]
    return kept


def with_second_factor(operators: Iterable[Operator]) -> frozenset[int]:
    """The ids of those who have one. Cost: one query."""
    found = Authenticator.objects.filter(user__in=list(operators), type=Authenticator.Type.TOTP)
    return frozenset(found.values_list("user_id", flat=True))


def remove_factors(operator: Operator) -> int:
    """Take the code app and the recovery codes away. Returns how many went."""
    return int(Authenticator.objects.filter(user=operator).delete()[0])

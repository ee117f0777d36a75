"""The sealed seeds of code apps and recovery codes, sealed again when the console's keys are rotated."""

from __future__ import annotations

from collections.abc import Iterator

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator

from apps.engine.errors import SecretUnusable
from apps.engine.secretbox import kid_of

FIELDS = ("secret", "seed")


def sealed_seeds() -> Iterator[tuple[Authenticator, str, str]]:
    """(row, field, name of the key that sealed it). Cost: one query."""
    for row in Authenticator.objects.order_by("pk").iterator(chunk_size=200):
        for field in FIELDS:
            if sealed := row.data.get(field):
                yield row, field, kid_of(sealed)


def seal_again(row: Authenticator, field: str) -> int:
    """1 when the row still held the same seed, else 0. Errors: SecretUnusable when no key opens it."""
    before = dict(row.data)
    adapter = get_adapter()
    after = before | {field: adapter.encrypt(adapter.decrypt(before[field]))}
    changed: int = Authenticator.objects.filter(pk=row.pk, data=before).update(data=after)
    row.data = after
    return changed


def unusable(row: Authenticator, field: str) -> SecretUnusable | None:
    """Why a seed cannot be opened, or None."""
    try:
        get_adapter().decrypt(row.data[field])
    except SecretUnusable as error:
        return error
    return None

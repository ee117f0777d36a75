"""Seals every stored secret again with the newest key, so that an older one can be thrown away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from apps.accounts import seeds
from apps.engine.errors import SecretUnusable
from apps.engine.secretbox import kid_of
from apps.servers import secrets
from apps.servers.models import Credential, Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """One stored secret: which row and field, its sealed text, and the context that opens it."""

    row: Credential | Server
    field: str
    text: str
    context: str

    def __str__(self) -> str:
        return str(self.row) if self.field == "secret" else f"{self.row} client key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """`unusable` were left as they are: what cannot be opened cannot be sealed again. `by_key` counts before rotating."""

    by_key: dict[str, int]
    rotated_count: int
    unusable: tuple[str, ...]


def rotate(*, only_check: bool = False) -> Rotated:
    """Seal again what an older key sealed. Each row on its own: a row that changes meanwhile keeps its newer secret."""
    by_key: Counter[str] = Counter()
    unusable: list[str] = []
    rotated_count = 0
    for sealed in _all():
        try:
            by_key[kid_of(sealed.text)] += 1
            plain = secrets.open_sealed(sealed.text, sealed.context)
        except SecretUnusable as error:
            unusable.append(f"{sealed}: {error.message} {error.way_out}")
            continue
        if not only_check and not secrets.box().is_current(sealed.text):
            rotated_count += _sealed_again(sealed, plain)
    for row, field, kid in list(seeds.sealed_seeds()):
        by_key[kid] += 1
        if problem := seeds.unusable(row, field):
            unusable.append(f"second factor of {row.user}: {problem.message} {problem.way_out}")
        elif not only_check and kid != secrets.box().kid:
            rotated_count += seeds.seal_again(row, field)
    return Rotated(by_key=dict(by_key), rotated_count=rotated_count, unusable=tuple(unusable))


def _all() -> Iterator[Sealed]:
    for credential in Credential.objects.exclude(secret="").select_related("server").iterator(chunk_size=200):
        yield Sealed(row=credential, field="secret", text=credential.secret, context=credential.context())
    for server in Server.objects.exclude(tls_key="").iterator(chunk_size=200):
        yield Sealed(row=server, field="tls_key", text=server.tls_key, context=server.key_context())


def _sealed_again(sealed: Sealed, plain: str) -> int:
    """1 when the row still held the same secret, else 0."""
    again = {sealed.field: secrets.box().seal(plain, sealed.context)}
    rows = type(sealed.row).objects.filter(pk=sealed.row.pk, **{sealed.field: sealed.text})
    return rows.update(**again)

"""The one writer of the audit. An entry is written in the transaction of what it tells of: if it cannot be, neither happens.

The chain: mac = HMAC-SHA256(key, previous mac + stored bytes of the payload). The number is given under a lock, so a gap is a
row that is missing. What nobody can find by the chain alone, a tail that was cut off or a whole chain written anew by somebody
who holds the key, is what the anchors outside of the database are for.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec
import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from apps.operations.models import AuditEntry
from apps.operations.models.audit import Phase

ADVISORY_LOCK = 0x5B0A0D17
BEGINNING = "0" * 64
VERSION = 1
log = structlog.get_logger(__name__)


@cache
def _keys(text: str) -> dict[str, bytes]:
    """By id, newest first: the id is a digest of the key, so nobody has to name one."""
    keys = [word.encode() for word in text.replace(",", " ").split()]
    return {hashlib.sha256(key).hexdigest()[:12]: key for key in keys}


def mac_of(previous: str, payload: str, *, key_id: str) -> str:
    """Errors: KeyError for a key that the console no longer has."""
    key = _keys(settings.AUDIT_KEYS)[key_id]
    return hmac.digest(key, previous.encode() + payload.encode(), "sha256").hex()


def key_ids() -> list[str]:
    """Of every key the console has, newest first."""
    return list(_keys(settings.AUDIT_KEYS))


def newest_key_id() -> str:
    return key_ids()[0]


def append(
    phase: Phase,
    *,
    actor: str,
    action: str,
    server_key: str = "",
    environment: str = "",
    run_number: int | None = None,
    result: str = "",
    **facts: Any,
) -> AuditEntry:
    """Add an entry, inside of the transaction that it belongs to.

    `facts` are JSON values without secrets. Cost: a lock held until the transaction ends, one read, one insert.
    Errors: whatever the database says; then the caller's transaction is undone with it.
    """
    with transaction.atomic():
        last = _locked_tail()
        at = timezone.now()
        payload = _payload(
            seq=last[0] + 1, at=at, phase=phase.value, actor=actor, action=action, server=server_key,
            environment=environment, run=run_number, result=result, facts=facts,
        )  # fmt: skip
        key_id = newest_key_id()
        return AuditEntry.objects.create(
            seq=last[0] + 1, at=at, phase=phase, actor=actor, action=action, server_key=server_key,
            environment=environment, run_number=run_number, result=result, payload=payload, previous=last[1],
            mac=mac_of(last[1], payload, key_id=key_id), key_id=key_id,
        )  # fmt: skip


def _payload(*, at: datetime, **parts: Any) -> str:
    written = {**parts, "at": at.astimezone(UTC).isoformat(), "v": VERSION}
    return msgspec.json.encode(written, order="sorted").decode()


def _locked_tail() -> tuple[int, str]:
    """(number, mac) of the last entry; nobody else appends until this transaction ends.

    SQLite's transactions begin IMMEDIATE here, so one writes at a time; PostgreSQL gets an advisory lock.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
    last = AuditEntry.objects.order_by("-seq").values_list("seq", "mac").first()
    return last or (0, BEGINNING)

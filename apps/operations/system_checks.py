"""What has to hold before the console may start: every action whole, keys that are keys."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from apps.operations.catalogue import actions


@register()
def actions_are_whole(app_configs: Any, **_: Any) -> list[CheckMessage]:
    try:
        actions()
    except (TypeError, ValueError) as error:
        return [Error(str(error), id="operations.E001")]
    return []


@register()
def keys_are_keys(app_configs: Any, **_: Any) -> list[CheckMessage]:
    if settings.MAKING_KEYS:
        return []
    named = {
        "AUDIT_KEYS": settings.AUDIT_KEYS,
        "ARCHIVE_KEYS": settings.ARCHIVE_KEYS,
        "BACKUP_KEYS": settings.BACKUP_KEYS,
    }
    return [
        Error(f"{name} needs base64 words of 32 bytes.", hint="Run manage.py make_keys.", id="operations.E002")
        for name, text in named.items()
        if not _are_keys(text)
    ]


@register()
def webhooks_are_signed(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """The addresses themselves may be secrets: they are counted, not named."""
    bad = [number for number, url in enumerate(settings.NOTIFY_WEBHOOKS, 1) if not _is_address(url)]
    found: list[CheckMessage] = []
    if bad:
        numbers = ", ".join(map(str, bad))
        found.append(Error(f"NOTIFY_WEBHOOKS: no address of http or https: number {numbers}.", id="operations.E003"))
    if settings.NOTIFY_WEBHOOKS and not settings.NOTIFY_WEBHOOK_SECRET:
        hint = "Set it to a long random text, and give it to the receivers."
        found.append(Error("NOTIFY_WEBHOOKS needs NOTIFY_WEBHOOK_SECRET.", hint=hint, id="operations.E004"))
    return found


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _are_keys(text: str) -> bool:
    try:
        keys = [base64.b64decode(word, validate=True) for word in text.replace(",", " ").split()]
    except binascii.Error:
        return False
    return bool(keys) and all(len(key) == 32 for key in keys)

"""What has to hold before the console may start: every action whole, keys that are keys."""

from __future__ import annotations

import base64
import binascii
from typing import Any

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


def _are_keys(text: str) -> bool:
    try:
        keys = [base64.b64decode(word, validate=True) for word in text.replace(",", " ").split()]
    except binascii.Error:
        return False
    return bool(keys) and all(len(key) == 32 for key in keys)

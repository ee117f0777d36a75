"""What has to hold before the console may start: every route guarded, every environment known, keys that are keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.urls import URLPattern, URLResolver, get_resolver

from apps.accounts.permissions import POLICIES, TABLE
from apps.engine.secretbox import SecretBox


def routes(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every route of the console as (pattern, view)."""
    for pattern in resolver.url_patterns:
        path = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLPattern):
            yield path, pattern.callback
        else:
            yield from routes(pattern, path)


def is_guarded(view: Any) -> bool:
    return bool(getattr(view, "public", False)) or getattr(view, "permission", None) in TABLE


@register()
def every_route_is_guarded(app_configs: Any, **_: Any) -> list[CheckMessage]:
    return [
        Error(
            f"/{path} declares no permission of the table.",
            hint="Use console_page, server_page, declared or public.",
            id="accounts.E001",
        )
        for path, view in routes(get_resolver())
        if not is_guarded(view)
    ]


@register()
def environments_are_known(app_configs: Any, **_: Any) -> list[CheckMessage]:
    return [
        Error(
            f"The environment {name} follows {policy['policy']!r}, which is none of {', '.join(POLICIES)}.",
            id="accounts.E002",
        )
        for name, policy in settings.ENVIRONMENTS.items()
        if policy["policy"] not in POLICIES
    ]


@register()
def secrets_can_be_sealed(app_configs: Any, **_: Any) -> list[CheckMessage]:
    if not settings.SECRETBOX_KEYS and not settings.MAKING_KEYS:
        return [Error("There is no key to seal secrets with.", hint="Run manage.py make_keys.", id="accounts.E003")]
    try:
        SecretBox(settings.SECRETBOX_KEYS or "k1:" + "A" * 43 + "=")
    except ValueError as error:
        return [Error(f"SECRETBOX_KEYS: {error}.", hint="Run manage.py make_keys.", id="accounts.E003")]
    return []

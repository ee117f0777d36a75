"""The console's cache, in its own database and without pickle: a row that somebody else wrote cannot run anything.

Rate limits and the replay protection of one-time codes live here, so they work when the broker is down. Values are JSON:
texts, numbers, lists, never objects.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.db import IntegrityError, transaction
from django.utils import timezone

FOREVER = datetime.max.replace(tzinfo=UTC, year=9000)
SWEEP_MOST = 500


class StoredCache(BaseCache):
    """Cost: one query a read, two a write. `add` is atomic: of two that add one key, one gets True."""

    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        found = self._rows([self._key(key, version)]).values_list("value", flat=True).first()
        return default if found is None else json.loads(found)

    def get_many(self, keys: Any, version: int | None = None) -> dict[Any, Any]:
        names = {self._key(key, version): key for key in keys}
        return {names[key]: json.loads(value) for key, value in self._rows(list(names)).values_list("key", "value")}

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        row = {"value": json.dumps(value), "expires_at": self._expires_at(timeout)}
        self._model().objects.update_or_create(key=self._key(key, version), defaults=row)

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        self._sweep()
        name = self._key(key, version)
        try:
            with transaction.atomic():
                self._model().objects.filter(key=name, expires_at__lte=timezone.now()).delete()
                self._model().objects.create(key=name, value=json.dumps(value), expires_at=self._expires_at(timeout))
        except IntegrityError:
            return False
        return True

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return bool(self._rows([self._key(key, version)]).update(expires_at=self._expires_at(timeout)))

    def delete(self, key: Any, version: int | None = None) -> bool:
        return bool(self._model().objects.filter(key=self._key(key, version)).delete()[0])

    def clear(self) -> None:
        self._model().objects.all().delete()

    def _key(self, key: Any, version: int | None) -> str:
        return str(self.make_and_validate_key(key, version=version))

    def _rows(self, keys: list[str]) -> Any:
        return self._model().objects.filter(key__in=keys, expires_at__gt=timezone.now())

    def _expires_at(self, timeout: Any) -> datetime:
        at = self.get_backend_timeout(timeout)
        return FOREVER if at is None else datetime.fromtimestamp(at, tz=UTC)

    def _sweep(self) -> None:
        """What has expired goes when something new comes, a slice at a time."""
        expired = self._model().objects.filter(expires_at__lte=timezone.now())
        keys = list(expired.values_list("key", flat=True)[:SWEEP_MOST])
        if keys:
            self._model().objects.filter(key__in=keys).delete()

    def _model(self) -> Any:
        from apps.accounts.models import CacheEntry  # a cache is made before the models are

        return CacheEntry

"""The frameworks the console knows, by key. A file in `adapters` is all it takes to be one."""

from __future__ import annotations

from functools import cache

from apps.engine.contracts.adapter import Adapter, Catalogue
from apps.engine.errors import Gone
from apps.engine.registry import members
from apps.queues import adapters


@cache
def catalogue() -> Catalogue:
    """Errors: TypeError or ValueError for a broken or doubled adapter, which stop the start."""
    return members(adapters, Adapter, name="ADAPTER")  # type: ignore[type-abstract]  # members are instances of subclasses


def adapter_for(key: str, *, kind: str) -> Adapter[object]:
    """Errors: Gone for a key that no adapter of this kind of server has."""
    adapter = catalogue().get(key)
    if adapter is None or adapter.kind != kind:
        raise Gone("No queue framework of this name is known.")
    return adapter

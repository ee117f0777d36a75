"""Finds the members of a family: every module of a package that defines one. Adding a member is adding a file."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Protocol, TypeVar


class Keyed(Protocol):
    @property
    def key(self) -> str: ...


Member = TypeVar("Member", bound=Keyed)


def members(package: ModuleType, kind: type[Member], *, name: str) -> dict[str, Member]:
    """The attribute `name` of every module in a package, by key.

    Errors: TypeError for a module without one, ValueError for a key taken twice: both stop the start.
    """
    found: dict[str, Member] = {}
    for info in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        member = getattr(importlib.import_module(info.name), name, None)
        if not isinstance(member, kind):
            raise TypeError(f"{info.name} has no {name} that is a {kind.__name__}")
        if member.key in found:
            raise ValueError(f"the key {member.key} is taken twice, the second time by {info.name}")
        found[member.key] = member
    return found

"""The parameters of an action: one frozen dataclass that is its form, its stored JSON and its typed argument.

Every field is made with `param(...)`, which says how it is asked for and whether it is a secret. A field without one stops the
start, so nothing is stored or shown by oversight.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from functools import cache
from typing import Any

KEY = "param"


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """How one field is asked for.

    `fixed`: it comes with the button (a key, a session), is shown and not asked. `secret`: sealed where it is stored, and shown
    nowhere. `lines`: a text of several lines. `choices` are (value, words). Bounds are inclusive.
    """

    label: str
    help: str = ""
    unit: str = ""
    fixed: bool = False
    secret: bool = False
    lines: bool = False
    mono: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    least: float | None = None
    most: float | None = None
    most_bytes: int = 4096


def param(label: str, *, default: Any = MISSING, **how: Any) -> Any:
    """A field of a Params dataclass: `ttl_s: int = param("Time to live", unit="s", least=1)`."""
    return dataclasses.field(default=default, metadata={KEY: Param(label=label, **how)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field as its form needs it. `kind` is str, bytes, int, float or bool; `optional` where it may be None or has a default."""

    name: str
    kind: type
    optional: bool
    default: Any
    how: Param


@cache
def fields(params: type) -> Mapping[str, Field]:
    """The fields of a Params dataclass in order. Errors: TypeError for a field without param(), or of a type no form has."""
    if not dataclasses.is_dataclass(params):
        raise TypeError(f"{params.__name__} is no dataclass")
    hints = typing.get_type_hints(params)
    return {each.name: _field(params, each, hints[each.name]) for each in dataclasses.fields(params)}


def _field(params: type, each: dataclasses.Field[Any], hint: Any) -> Field:
    how = each.metadata.get(KEY)
    if not isinstance(how, Param):
        raise TypeError(f"{params.__name__}.{each.name} is not made with param(): say whether it is a secret")
    kinds = [kind for kind in typing.get_args(hint) or (hint,) if kind is not type(None)]
    if len(kinds) != 1 or kinds[0] not in (str, bytes, int, float, bool):
        raise TypeError(f"{params.__name__}.{each.name} is a {hint}: a form has str, bytes, int, float and bool")
    has_default = each.default is not MISSING
    return Field(
        name=each.name,
        kind=kinds[0],
        optional=has_default or type(None) in typing.get_args(hint),
        default=each.default if has_default else None,
        how=how,
    )

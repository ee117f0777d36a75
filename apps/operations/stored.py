"""Between the records of the contracts and what is stored: JSON by type, and parameters whose secrets are sealed to their plan."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from apps.engine.contracts.action import AnyAction
from apps.engine.contracts.params import Field, fields
from apps.servers import secrets

Stored = TypeVar("Stored")
Context = Callable[[str], str]
SEALED = "sealed"


def to_json(value: Any) -> str:
    """A frozen record as JSON; bytes are base64."""
    return msgspec.json.encode(value).decode()


def from_json(kind: type[Stored], stored: str) -> Stored:
    """The record behind a stored text. Errors: msgspec.ValidationError when it was written by another version."""
    return msgspec.json.decode(stored, type=kind)


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: the same bytes for the same content."""
    return msgspec.json.encode(value, order="sorted")


def params_to_json(action: AnyAction, params: Any, *, sealed_to: Context) -> str:
    """The parameters of an action; a secret is sealed to the place that `sealed_to(field)` names."""
    stored: dict[str, Any] = msgspec.to_builtins(params)
    for name, field in fields(action.params).items():
        if field.how.secret and stored[name] not in (None, ""):
            stored[name] = {SEALED: secrets.box().seal(str(stored[name]), sealed_to(name))}
    return canonical(stored).decode()


def params_from_json(action: AnyAction, stored: str, *, sealed_to: Context) -> Any:
    """Errors: SecretUnusable for a secret that belongs elsewhere, msgspec.ValidationError for another version's parameters."""
    plain: dict[str, Any] = msgspec.json.decode(stored)
    for name, value in plain.items():
        if isinstance(value, dict) and SEALED in value:
            plain[name] = secrets.box().open(value[SEALED], sealed_to(name))
    return msgspec.convert(plain, action.params)


def params_shown(action: AnyAction, stored: str) -> list[tuple[str, str | bytes, str]]:
    """(label, value, unit) of what may be shown; a secret is its label with "set" or "not set"."""
    plain: dict[str, Any] = msgspec.json.decode(stored)
    return [
        (field.how.label, _shown(plain.get(name), field), field.how.unit)
        for name, field in fields(action.params).items()
    ]


def _shown(value: Any, field: Field) -> str | bytes:
    if isinstance(value, dict):
        return "set"
    if value is None or value == "":
        return "–"
    if field.kind is bytes:
        return base64.b64decode(value)
    if field.how.choices:
        return dict(field.how.choices).get(str(value), str(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)

"""servers.toml: servers declared in a file, validated by the same form as on the page, loaded again and again without harm."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.engine.target import Profile
from apps.servers.forms import ServerForm
from apps.servers.models import Server
from apps.servers.registration import Registration, save

LISTS = {"addresses": "\n", "tags": " "}
FILES = {"tls_ca_file": "tls_ca", "tls_certificate_file": "tls_certificate"}
BY = "servers.toml"


class DeclarationError(Exception):
    """The file cannot be read as a whole; one server that is wrong is only a refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What loading did, by server; `refused` says why, field by field. `undeclared` are no longer in the file and stay registered."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    undeclared: tuple[str, ...]
    refused: Mapping[str, tuple[str, ...]]


def load(path: Path) -> Loaded:
    """Register what the file declares. Idempotent: a second load of the same file changes nothing.

    Errors: DeclarationError when there is no such file, or it is no TOML of this shape.
    """
    declared = _tables(path)
    done: dict[str, list[str]] = {"added": [], "changed": [], "unchanged": []}
    refused: dict[str, tuple[str, ...]] = {}
    for key, table in declared.items():
        try:
            done[_declare(key, table, path.parent)].append(key)
        except _Refused as error:
            refused[key] = error.reasons
    gone = Server.objects.filter(declared=True).exclude(key__in=declared)
    undeclared = tuple(gone.values_list("key", flat=True))
    gone.update(declared=False)
    return Loaded(
        added=tuple(done["added"]),
        changed=tuple(done["changed"]),
        unchanged=tuple(done["unchanged"]),
        undeclared=undeclared,
        refused=refused,
    )


class _Refused(Exception):
    def __init__(self, *reasons: str) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise DeclarationError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise DeclarationError(f"{path} is no TOML: {error}.") from error
    tables = content.pop("servers", {})
    if content or not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise DeclarationError(f"{path} holds more than tables [servers.NAME].")
    return tables


def fields_of(key: str, table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A table as the fields of the form. Errors: _Refused for a name that means nothing, or a file that is not there."""
    fields: dict[str, Any] = {"key": key, **defaults()}
    for name, value in table.items():
        if name in list(Profile) and isinstance(value, dict):
            fields |= {f"{name}_{what}": text for what, text in value.items()}
        elif name in FILES:
            fields[FILES[name]] = _text_of(folder / str(value))
        elif name in LISTS and isinstance(value, list):
            fields[name] = LISTS[name].join(map(str, value))
        else:
            fields[name] = value
    known = set(ServerForm(environments=()).fields)
    if strange := sorted(set(fields) - known):
        raise _Refused(f"{', '.join(strange)}: no such field")
    return fields


def defaults() -> dict[str, Any]:
    """What the form shows when it is empty, so that a file may leave it out."""
    form = ServerForm(environments=())
    return {name: field.initial for name, field in form.fields.items() if field.initial is not None and name != "kind"}


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise _Refused(f"{path} cannot be read") from error


def checked(fields: Mapping[str, Any], *, stored: Server | None) -> Registration:
    """The one validation, with the fields of a file or a command line. Errors: _Refused with a reason a field."""
    form = ServerForm(fields, environments=settings.ENVIRONMENTS, stored=stored, references=True)
    if not form.is_valid():
        raise _Refused(*(f"{name}: {error}" for name, errors in form.errors.items() for error in errors))
    return form.registration()


def _declare(key: str, table: Mapping[str, Any], folder: Path) -> str:
    stored = Server.objects.prefetch_related("credentials").filter(key=key).first()
    fields = fields_of(key, table, folder)
    if stored is not None and fields.get("kind") != stored.kind:
        raise _Refused(f"kind: it is registered as {stored.kind}; remove it first")
    registration = checked(fields, stored=stored)
    if stored is not None and stored.declared and _is_same(registration, stored):
        return "unchanged"
    save(registration, by=BY, stored=stored, declared=True)
    return "changed" if stored else "added"


def _is_same(wanted: Registration, stored: Server) -> bool:
    """Whether saving would change anything: compared as a form would show both, and by their references."""
    if wanted.is_elsewhere(stored) or wanted.place != stored.place or list(wanted.roles) != stored.roles:
        return False
    plain = ("connect_timeout_s", "read_timeout_s", "load_budget_ratio", "rpo_s", "rto_s", "disk_bytes", "read_only")
    if any(getattr(wanted, name) != getattr(stored, name) for name in (*plain, "tls_certificate")):
        return False
    accounts = {c.profile: (c.username, c.kept_reference()) for c in stored.credentials.all()}
    return accounts == {a.profile: (a.username, a.password.text if a.password else "") for a in wanted.accounts} and (
        stored.kept_key_reference() == (wanted.client_key.text if wanted.client_key else "")
    )

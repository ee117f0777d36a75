"""Rows of roles as their template puts them down: what a cell says, and what stands in it at all, is decided here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.acl.reads.postgres import Role
from apps.shell.templatetags.shell import count, name, sig
from apps.shell.templatetags.table_rows import NOTHING

OWN = SafeString(' <span class="tag">this console</span>')
UNKNOWN_PASSWORD = SafeString(
    '<span class="why-unknown" title="Only superusers and members of pg_read_all_data may see how passwords are kept">unknown'
    "</span>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRow:
    """A role with what is remarkable about it. `password` is how it is kept, None where that may not be seen."""

    role: Role
    signal: str
    reason: str
    password: str | None
    parents: tuple[Role, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRole:
    """`asked` is its name as a part of a URL."""

    edge: str
    asked: str
    name: SafeString
    own: SafeString
    remark: SafeString
    may: str
    parents: SafeString
    password: SafeString | str
    sessions: SafeString
    limit: SafeString
    owns: SafeString


def shown_roles(rows: Iterable[RoleRow], *, chosen: Role | None) -> list[ShownRole]:
    return [_role(row, is_chosen=row.role == chosen) for row in rows]


def _role(row: RoleRow, *, is_chosen: bool) -> ShownRole:
    role = row.role
    trouble = f"edge-{row.signal}" if row.signal in ("crit", "warn") else ""
    return ShownRole(
        edge="picked" if is_chosen else trouble,
        asked=quote(role.name.encode("utf-8", "surrogateescape")),
        name=name(role.name, 63),
        own=OWN if role.is_me else NOTHING,
        remark=sig(row.signal, row.reason),
        may="everything" if role.is_superuser else ", ".join(role.attributes),
        parents=SafeString("".join([f"{name(parent.name, 63)} " for parent in row.parents])),
        password=UNKNOWN_PASSWORD if row.password is None else row.password,
        sessions=count(role.session_count),
        limit=_limit(role),
        owns=count(role.owned_count),
    )


def _limit(role: Role) -> SafeString:
    return (
        format_html(' <span class="subnum">of {}</span>', role.connection_limit)
        if role.connection_limit >= 0
        else NOTHING
    )

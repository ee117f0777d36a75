"""The lines of the list as the template puts them down: what a line says is made once, before the template asks for it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from django.http import QueryDict
from django.utils.safestring import SafeString

from apps.engine.text import ref
from apps.keyspace.browsing import ListLine
from apps.keyspace.reads.rows import KeyRow
from apps.shell.templatetags.shell import bytes_iec, count, duration, name

# What belongs to the key that was open before.
OF_ONE_KEY = ("at", "order", "field", "name", "read", "show")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLine:
    """A folder or a key. `href` opens it, or closes an open folder; empty for a name that does not fit into an address."""

    name: SafeString
    level: int
    href: SafeString
    is_folder: bool
    is_open: bool
    is_picked: bool
    length_count: int
    found: SafeString
    row: KeyRow | None
    memory: SafeString
    ttl: SafeString


def shown_lines(lines: Sequence[ListLine], *, query: QueryDict, picked: bytes | None) -> list[ShownLine]:
    """`query` is what the page was asked for, of which links change one thing; `picked` the key that is open beside the list."""
    to_folder, to_key = _link(query, "open"), _link(query, "key", without=OF_ONE_KEY)
    return [_shown(line, to_folder if line.line.is_folder else to_key, picked) for line in lines]


def _shown(entry: ListLine, link: str, picked: bytes | None) -> ShownLine:
    line, row = entry.line, entry.row
    leads_to = entry.above if line.is_folder and line.is_open else line.name
    return ShownLine(
        name=name(line.name),
        level=line.level,
        href=SafeString(link + ref(leads_to) if entry.can_open else ""),
        is_folder=line.is_folder,
        is_open=line.is_open,
        is_picked=line.name == picked,
        length_count=len(line.name),
        found=count(line.found_count),
        row=row,
        memory=bytes_iec(row.memory_bytes) if row else SafeString(""),
        ttl=duration(row.ttl_s) if row and row.ttl_s is not None else SafeString(""),
    )


def _link(query: QueryDict, last: str, *, without: Sequence[str] = ()) -> str:
    """The address of the same page but for one value, which is put behind it: a ref needs no escape."""
    kept = query.copy()
    for key in (last, *without):
        kept.pop(key, None)
    return html.escape(f"?{kept.urlencode()}&{last}=" if kept else f"?{last}=")

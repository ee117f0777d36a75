"""The lines of the list as the template puts them down: what a line says is made once, before the template asks for it."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.http import QueryDict
from django.utils.safestring import SafeString

from apps.engine.text import ref
from apps.keyspace.browsing import ListLine
from apps.keyspace.reads.rows import KeyRow
from apps.shell.templatetags.shell import bytes_iec, count, duration, name

# What belongs to the key that was open before.
OF_ONE_KEY = ("at", "order", "field", "name", "read", "show")

NOTHING = SafeString("")
ENDLESS = SafeString('<span class="none" title="It does not expire.">–</span>')
REFUSED = SafeString(
    '<span class="why-unknown" title="The account of the console lacks a right; the exact rule is above.">not permitted</span>'
)
UNASKED = SafeString('<span class="why-unknown" title="Not asked for: only 200 keys a page are.">unknown</span>')
GONE = SafeString('<span class="ink-3" title="It was removed or it expired since it was found.">gone meanwhile</span>')


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLine:
    """A folder or a key. `href` opens it, or closes an open folder; empty for a name that does not fit into an address.

    `instead` says why there are no figures of a key; empty where there are.
    """

    name: SafeString
    level: int
    href: SafeString
    is_folder: bool
    is_open: bool
    is_picked: bool
    length_count: int
    found: SafeString
    instead: SafeString
    key_type: SafeString
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
        instead=NOTHING if line.is_folder else _instead(row),
        key_type=_told(row, "type", _key_type),
        memory=_told(row, "memory", lambda row: bytes_iec(row.memory_bytes)),
        ttl=_told(row, "ttl", lambda row: ENDLESS if row.ttl_s is None else duration(row.ttl_s)),
    )


def _instead(row: KeyRow | None) -> SafeString:
    return UNASKED if row is None else GONE if row.gone else NOTHING


def _told(row: KeyRow | None, column: str, figure: Callable[[KeyRow], SafeString]) -> SafeString:
    if row is None:
        return NOTHING
    return REFUSED if column in row.refused else figure(row)


def _key_type(row: KeyRow) -> SafeString:
    return SafeString(f'<span class="type">{html.escape(row.key_type)}</span>')


def _link(query: QueryDict, last: str, *, without: Sequence[str] = ()) -> str:
    """The address of the same page but for one value, which is put behind it: a ref needs no escape."""
    kept = query.copy()
    for key in (last, *without):
        kept.pop(key, None)
    return html.escape(f"?{kept.urlencode()}&{last}=" if kept else f"?{last}=")

"""The lines of the list as their templates put them down: what a cell says, and what stands in it at all, is decided here."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from django.http import QueryDict
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.engine.text import ref
from apps.keyspace.browsing import ListLine
from apps.keyspace.reads.rows import KeyRow
from apps.shell.templatetags.shell import bytes_iec, count, duration, icon, name
from apps.shell.templatetags.table_rows import NOTHING, class_of

# What belongs to the key that was open before.
OF_ONE_KEY = ("at", "order", "field", "name", "read", "show")

LEAF = SafeString('<span class="leaf"></span>')
ENDLESS = SafeString('<span class="none" title="It does not expire.">–</span>')
REFUSED = SafeString(
    '<span class="why-unknown" title="The account of the console lacks a right; the exact rule is above.">not permitted</span>'
)
UNASKED = SafeString('<span class="why-unknown" title="Not asked for: only 200 keys a page are.">unknown</span>')
GONE = SafeString('<span class="ink-3" title="It was removed or it expired since it was found.">gone meanwhile</span>')


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderLine:
    """`href` opens the folder, or closes it when it is open."""

    row_template: ClassVar[str] = "keyspace/parts/folder_row.html"
    level: int
    href: SafeString
    sign: SafeString
    name: SafeString
    found: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLine:
    """`figures` are three cells, or one that says why there are none."""

    row_template: ClassVar[str] = "keyspace/parts/key_row.html"
    picked: SafeString
    level: int
    leaf: SafeString
    name: SafeString
    figures: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class _List:
    """What all lines have in common: the beginnings of their links, whether keys may be opened, and which one is."""

    to_folder: str
    to_key: str
    may_open: bool
    picked: bytes | None
    is_tree: bool


def shown_lines(
    lines: Sequence[ListLine], *, query: QueryDict, may_open: bool, picked: bytes | None, is_tree: bool
) -> list[FolderLine | KeyLine]:
    """`query` is what the page was asked for, of which links change one thing; `picked` the key that is open beside the list."""
    every = _List(
        to_folder=_link(query, "open"),
        to_key=_link(query, "key", without=OF_ONE_KEY),
        may_open=may_open,
        picked=picked,
        is_tree=is_tree,
    )
    return [_folder(line, every) if line.line.is_folder else _key(line, every) for line in lines]


def _folder(entry: ListLine, every: _List) -> FolderLine:
    line = entry.line
    return FolderLine(
        level=line.level,
        href=SafeString(every.to_folder + ref(entry.above if line.is_open else line.name)),
        sign=icon("chevron-down" if line.is_open else "chevron-right", "sm"),
        name=name(line.name),
        found=count(line.found_count),
    )


def _key(entry: ListLine, every: _List) -> KeyLine:
    return KeyLine(
        picked=class_of("picked" if entry.line.name == every.picked else ""),
        level=entry.line.level,
        leaf=LEAF if every.is_tree else NOTHING,
        name=_named(entry, every),
        figures=_figures(entry.row),
    )


def _named(entry: ListLine, every: _List) -> SafeString:
    """A link where the key may be opened, and its name fits into an address."""
    shown = name(entry.line.name)
    if every.may_open and entry.can_open:
        href = SafeString(every.to_key + ref(entry.line.name))
        link = '<a class="mono clip" href="{}" hx-get="{}" hx-target="#key" hx-push-url="true">{}</a>'
        return format_html(link, href, href, shown)
    plain = SafeString(f'<span class="mono clip">{shown}</span>')
    if not every.may_open:
        return plain
    why = f"{len(entry.line.name):,} bytes: names over 1,024 bytes do not fit into an address"
    return format_html('{}<span class="tag" title="{}">too long to open</span>', plain, why)


def _figures(row: KeyRow | None) -> SafeString:
    if instead := _instead(row):
        return SafeString(f'<td class="n" colspan="3">{instead}</td>')
    told = [
        _told(row, "type", _key_type),
        _told(row, "memory", lambda row: bytes_iec(row.memory_bytes)),
        _told(row, "ttl", lambda row: ENDLESS if row.ttl_s is None else duration(row.ttl_s)),
    ]
    return SafeString("".join([f'<td class="n">{each}</td>' for each in told]))


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

"""{% load sqltext %}: statements of other people, masked unless asked for, keywords told apart."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from django import template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

from apps.engine.sqltext import Piece, pieces

register = template.Library()

HIDDEN = "<insufficient privilege>"
MASKED_MOST = 512
# Masked lines by a digest of the statement: lists are refreshed, and most of their statements come again. What was masked is
# not held, neither as a value nor as a key.
_masked_lines: dict[bytes, SafeString] = {}


@register.simple_tag
def sql(statement: str | None, show: bool = False) -> SafeString:
    """{% sql session.text look.shows %}: on one line, the whole in its title; – where there is none."""
    if not statement:
        return format_html('<span class="none" title="It has run none yet.">–</span>')
    if statement == HIDDEN:
        return format_html('<span class="why-unknown" title="{}">hidden</span>', "The account lacks pg_read_all_stats.")
    return _line(statement, show=True) if show else _masked_line(statement)


def _masked_line(statement: str) -> SafeString:
    key = hashlib.blake2b(statement.encode("utf-8", "surrogatepass"), digest_size=32).digest()
    made = _masked_lines.get(key)
    if made is None:
        made = _line(statement, show=False)
        if len(_masked_lines) >= MASKED_MOST:
            _masked_lines.clear()
        _masked_lines[key] = made
    return made


def _line(statement: str, *, show: bool) -> SafeString:
    found = pieces(statement, show=show)
    return format_html('<span title="{}">{}</span>', "".join(piece.text for piece in found), _marked(found))


@register.simple_tag
def sql_lines(statement: str, show: bool = False) -> SafeString:
    """{% sql_lines row.text look.shows %}: with line breaks, for a pre."""
    return _marked(pieces(statement, show=show, lines=True))


def _marked(found: tuple[Piece, ...]) -> SafeString:
    return format_html("{}" * len(found), *map(_run, found)) if found else escape("")


def _run(piece: Piece) -> str:
    """What has no kind is escaped by the one call that puts all together."""
    if piece.kind == "kw":
        return _keyword(piece.text)
    return format_html('<span class="{}">{}</span>', piece.kind, piece.text) if piece.kind else piece.text


@lru_cache(maxsize=512, typed=True)
def _keyword(word: str) -> SafeString:
    return format_html('<span class="kw">{}</span>', word)

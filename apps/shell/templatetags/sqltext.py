"""{% load sqltext %}: statements of other people, masked unless asked for, keywords told apart."""

from __future__ import annotations

from functools import lru_cache

from django import template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

from apps.engine.sqltext import Piece, pieces

register = template.Library()

HIDDEN = "<insufficient privilege>"


@register.simple_tag
def sql(statement: str | None, show: bool = False) -> SafeString:
    """{% sql session.text look.shows %}: on one line, the whole in its title; – where there is none."""
    if not statement:
        return format_html('<span class="none" title="It has run none yet.">–</span>')
    if statement == HIDDEN:
        return format_html('<span class="why-unknown" title="{}">hidden</span>', "The account lacks pg_read_all_stats.")
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

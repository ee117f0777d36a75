"""Pieces of a page that are drawn from a few values, again and again the same: drawn once a process for each set of values.

    {% kept "shell/server.html" key=server.key title=state.title %}

Only what is named reaches the piece: no request, no token, nothing of who is signed in. So a piece may be kept by its values
alone, and stands for whoever has the same. Figures and times that change from page to page, and values of a server's data, are
not for here: they would be kept and never come again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django import template
from django.core.signals import setting_changed
from django.template.loader import get_template
from django.utils.safestring import SafeString

register = template.Library()
MOST_PIECES = 2048


@register.simple_tag
def kept(piece: str, **values: Any) -> SafeString:
    """A template drawn from these values alone. They are texts, numbers, or records and tuples of these that cannot change."""
    return _drawn(piece, tuple(values), *values.values())


# Typed, so that a text which is safe never stands for an equal one that is not.
@lru_cache(maxsize=MOST_PIECES, typed=True)
def _drawn(piece: str, names: tuple[str, ...], *values: Any) -> SafeString:
    drawn = get_template(piece).render(dict(zip(names, values, strict=True)))
    return SafeString(drawn.removesuffix("\n"))  # a file ends with one; where it is put, it would be a space


def _forget(*, setting: str, **_: Any) -> None:
    """Pieces hold addresses of static files, and follow the environments."""
    if setting in ("STORAGES", "STATIC_URL", "STATIC_ROOT", "ENVIRONMENTS", "ROOT_URLCONF"):
        _drawn.cache_clear()


setting_changed.connect(_forget)

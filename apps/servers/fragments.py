"""A page and its parts answer at the same address: which one is asked for."""

from __future__ import annotations

from django.http import HttpRequest


def fragment(request: HttpRequest) -> str:
    """The id of the element that the request wants anew; "" when it wants the page.

    The refreshing script names its target as an id; htmx names it as `tag#id`.
    """
    htmx = getattr(request, "htmx", None)
    return str(htmx.target or "").rpartition("#")[2] if htmx else ""


def part(request: HttpRequest, template: str, *names: str) -> str:
    """The template, or the partial of it that is asked for and is one of `names`."""
    wanted = fragment(request)
    return f"{template}#{wanted}" if wanted in names else template

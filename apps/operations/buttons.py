"""Buttons that open plans from the rows of a long table, decided once a page and put into a row for next to nothing.

`row_button` posts what it is about with one form that stands beside the table; `row_link` leads to a form that asks for more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString

from apps.accounts.access import decide, operator_of
from apps.engine import text
from apps.engine.contracts.action import AnyAction
from apps.engine.contracts.params import fields
from apps.engine.errors import Gone
from apps.history.reads import fleet_seen_by
from apps.operations.catalogue import action_for
from apps.operations.guard import lack_of, obstacle_at
from apps.operations.models import Freeze, freezes_in_force
from apps.servers.models import Server

NOTHING = SafeString("")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowButton:
    """`form` stands once on the page. Both it and `of` are empty where the operator's role can never do this here."""

    form: SafeString
    before: str
    after: str

    def __bool__(self) -> bool:
        return bool(self.after)

    def of(self, value: str | bytes, about: int) -> SafeString:
        """The button of one row: `value` goes into the plan, `about` says to whoever only hears it which row it is of.

        Cost: 2 to 7 µs. Shape: grey with its reason where something stands in the way.
        """
        if not self.after:
            return NOTHING
        shown = text.ref(value) if isinstance(value, bytes) else conditional_escape(value)
        return SafeString(f"{self.before % (shown, about)}{self.after}")


def row_button(request: HttpRequest, key: str, server: Server, *, varies: str, **fixed: str) -> RowButton:
    """An action whose parameters come with the button: `fixed` the same in each row, and the one that `varies`.

    Cost: what one `{% action_button %}` costs, however many rows the table has. Errors: Gone for an unknown action.
    """
    action = action_for(key, kind=server.kind)
    if not decide(operator_of(request), action.permission, server.place).allowed:
        return RowButton(form=NOTHING, before="", after="")
    if why := obstacle_here(request, action, server):
        grey = format_html('<span class="btn-off" title="{}"><button class="btn btn-sm" type="button" disabled', why)
        return RowButton(form=NOTHING, **_around(action, f"{grey} ", "</button></span>"))
    name = f"do-{key.replace('.', '-')}"
    live = format_html('<button class="btn btn-sm" type="submit" form="{}" name="{}"', name, varies)
    return RowButton(form=_form(request, action, server, name, fixed), **_around(action, f"{live} ", "</button>"))


def _around(action: AnyAction, opening: str, closing: str) -> dict[str, str]:
    """The text before and after a row's value, with a blank for it and for what it is about."""
    safe = opening.replace("%", "%%")
    return {"before": f'{safe}value="%s" aria-label="{action.verb} %s"', "after": f">{action.verb}{closing}"}


def _form(request: HttpRequest, action: AnyAction, server: Server, name: str, fixed: dict[str, str]) -> SafeString:
    hidden = format_html_join("", '<input type="hidden" name="{}" value="{}">', fixed.items())
    return format_html(
        '<form id="{}" method="post" action="{}" hidden><input type="hidden" name="csrfmiddlewaretoken" value="{}">{}</form>',
        name, reverse("operations:start", args=[server.key, action.key]), get_token(request), hidden,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLink:
    """What stands around a row's own parameters; `whole` where it is the same in every row: grey, or nothing at all."""

    before: str = ""
    middle: str = ""
    after: str = ""
    whole: SafeString | None = None

    def at(self, query: SafeString, about: str) -> SafeString:
        """The button of one row; `about` says to whoever only hears it which row it is of. Cost: some microseconds."""
        if self.whole is not None:
            return self.whole
        return SafeString(f"{self.before}{query}{self.middle}{conditional_escape(about)}{self.after}")


ABSENT = RowLink(whole=SafeString(""))


def refs(**names: bytes) -> SafeString:
    """Names of a row as a part of an address: base64url, of which nothing has to be escaped."""
    return SafeString("&amp;".join([f"{each}={text.ref(raw)}" for each, raw in names.items()]))


def row_link(request: HttpRequest, key: str, server: Server, words: str = "", **fixed: Any) -> RowLink:
    """Absent where the role can never do this here, grey with its reason where something stands in the way, else live.

    `fixed` is what all rows bring. It leads to the form of the action, which asks for the rest or for nothing. Cost: two queries
    an action and page, shared with action_button.
    """
    try:
        action = action_for(key, kind=server.kind)
    except Gone:
        return ABSENT
    if not decide(operator_of(request), action.permission, server.place).allowed:
        return ABSENT
    label = words or action.verb
    look = "btn btn-sm btn-danger" if action.is_grave else "btn btn-sm"
    if why := obstacle_here(request, action, server):
        off = '<span class="btn-off" title="{}"><button class="{}" type="button" disabled>{}</button></span>'
        return RowLink(whole=format_html(off, why, look, label))
    url = start_url(action, server, fixed)
    joined = conditional_escape(url + ("&" if "?" in url else "?"))
    return RowLink(
        before=f'<a class="{look}" href="{joined}',
        middle=format_html('" aria-label="{} ', label),
        after=format_html('">{}</a>', label),
    )


def start_url(action: AnyAction, server: Server, params: dict[str, Any]) -> str:
    """Where the plan of an action begins, with what is known already."""
    query = written(action, params)
    path = reverse("operations:start", args=[server.key, action.key])
    return f"{path}?{urlencode(query)}" if query else path


def written(action: AnyAction, params: dict[str, Any]) -> dict[str, str]:
    """Parameters as an address or a form carries them. Errors: KeyError for one that the action does not have."""
    known = fields(action.params)
    return {
        each: text.ref(value) if known[each].kind is bytes and known[each].how.fixed else _text(value)
        for each, value in params.items()
        if value is not None
    }


def _text(value: Any) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def obstacle_here(request: Any, action: AnyAction, server: Server) -> str:
    """What stands in the way. Cost: none beside what the frame asks; a query a server for a fragment, which has no frame."""
    kept: dict[int, str] = request.__dict__.setdefault("_obstacles", {})
    if server.pk not in kept:
        kept[server.pk] = obstacle_at(server, freezes_here(request), _figures_here(request, server))
    return kept[server.pk] or lack_of(action, server)


def _figures_here(request: Any, server: Server) -> Mapping[str, Any] | None:
    """What is known last of a server, where the frame of this page reads it for all of them anyway."""
    if getattr(request, "htmx", None):
        return None
    return next((state.figures for state in fleet_seen_by(request) if state.server.pk == server.pk), None)


def freezes_here(request: Any) -> list[Freeze]:
    """The freezes in force, asked once a page. Cost: one query."""
    kept: list[Freeze] | None = request.__dict__.get("_freezes")
    if kept is None:
        kept = request.__dict__["_freezes"] = freezes_in_force()
    return kept

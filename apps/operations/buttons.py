"""Buttons that open plans from the rows of a long table: one form beside it, and in each row what it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString

from apps.accounts.access import decide, operator_of
from apps.engine import text
from apps.engine.contracts.action import AnyAction
from apps.operations.catalogue import action_for
from apps.operations.guard import lack_of, obstacle_at
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


def obstacle_here(request: Any, action: AnyAction, server: Server) -> str:
    """What stands in the way. Cost: two queries a server, once a page, however many actions it has buttons for."""
    kept: dict[int, str] = request.__dict__.setdefault("_obstacles", {})
    if server.pk not in kept:
        kept[server.pk] = obstacle_at(server)
    return kept[server.pk] or lack_of(action, server)

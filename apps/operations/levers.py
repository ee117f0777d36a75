"""Links from the rows of a long table to the form of an action that asks for more than the row brings.

Decided once a page, and put beside a row for next to nothing. `buttons.py` has the other kind: one value, and nothing asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

from apps.accounts.access import decide, operator_of
from apps.engine.errors import Gone
from apps.engine.text import ref
from apps.operations.buttons import obstacle_here
from apps.operations.catalogue import action_for
from apps.operations.templatetags.operations import start_url
from apps.servers.models import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
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


ABSENT = Lever(whole=SafeString(""))


def refs(**names: bytes) -> SafeString:
    """Names of a row as a part of an address: base64url, of which nothing has to be escaped."""
    return SafeString("&amp;".join([f"{each}={ref(raw)}" for each, raw in names.items()]))


def lever(request: HttpRequest, key: str, server: Server, words: str = "", **fixed: Any) -> Lever:
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
        return Lever(whole=format_html(off, why, look, label))
    url = start_url(action, server, fixed)
    joined = conditional_escape(url + ("&" if "?" in url else "?"))
    return Lever(
        before=f'<a class="{look}" href="{joined}',
        middle=format_html('" aria-label="{} ', label),
        after=format_html('">{}</a>', label),
    )

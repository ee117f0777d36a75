"""{% load operations %}: the buttons that open plans, and the words that plans and runs are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString

from apps.accounts.access import decide
from apps.engine import units
from apps.engine.contracts.action import AnyAction
from apps.engine.contracts.params import fields
from apps.engine.contracts.plan import Amount, Cell, Sentence
from apps.engine.errors import Gone
from apps.operations.audited import title_of
from apps.operations.buttons import freezes_here, obstacle_here, start_url, written
from apps.operations.catalogue import action_for
from apps.servers.models import Server
from apps.shell.templatetags.shell import icon, name, unknown

register = template.Library()
MOST_FROZEN = 3


@register.simple_tag(takes_context=True)
def action_button(
    context: template.Context, key: str, server: Server, words: str = "", small: bool = False, **params: Any
) -> SafeString:
    """{% action_button "keyspace.delete_key" server name=key.name db=3 small=True %}: the way to a plan.

    Absent where the operator's role can never do this here, grey with its reason where something stands in the way, else live.
    Parameters that the button brings are `fixed` ones and defaults of the others. Cost: two queries a server, once a page.
    """
    try:
        action = action_for(key, kind=server.kind)
    except Gone:
        return SafeString("")
    request = context["request"]
    if not decide(request.user, action.permission, server.place).allowed:
        return SafeString("")
    size = " btn-sm" if small else ""
    look = f"btn{size} btn-danger" if action.is_grave else f"btn{size}"
    label = format_html("{}{}", icon(action.icon), words or action.verb)
    if why := obstacle_here(request, action, server):
        return format_html('<span class="btn-off" title="{}"><button class="{}" type="button" disabled>{}</button></span>',
                           why, look, label)  # fmt: skip
    if any(not field.how.fixed for field in fields(action.params).values()):
        shown = format_html('<a class="{}" href="{}">{}</a>', look, start_url(action, server, params), label)
    else:
        shown = _post_form(
            context, action, server, params, format_html('<button class="{}" type="submit">{}</button>', look, label)
        )
    return format_html('<span class="danger-end">{}</span>', shown) if action.is_grave else shown


def _post_form(
    context: template.Context, action: AnyAction, server: Server, params: dict[str, Any], button: SafeString
) -> SafeString:
    """Where nothing has to be asked, the button makes the plan at once."""
    hidden = format_html_join("", '<input type="hidden" name="{}" value="{}">', written(action, params).items())
    return format_html(
        '<form class="post-form" method="post" action="{}"><input type="hidden" name="csrfmiddlewaretoken" value="{}">{}{}</form>',
        reverse("operations:start", args=[server.key, action.key]), context.get("csrf_token", ""), hidden, button,
    )  # fmt: skip


@register.filter
def sentence(pieces: Sentence) -> SafeString:
    """Our words escaped, names of the server as names."""
    return format_html_join("", "{}", ((_piece(piece),) for piece in pieces or ()))


def _piece(piece: Any) -> SafeString:
    if piece.name is None:
        return conditional_escape(piece.text)
    return format_html('<code class="nm">{}</code>', name(piece.name))


@register.filter
def amount(figure: Amount | None) -> SafeString:
    """A figure as well as it is known: exact, ≈ with its bound, a range, at least, or unknown with its reason."""
    if figure is None:
        return unknown()
    if figure.value is not None and figure.low is None:
        return _with_unit(*_scaled(figure.value, figure.unit))
    if figure.value is not None and figure.low is not None and figure.high is not None:
        return _estimate(figure.value, figure.low, figure.high, figure.unit)
    if figure.low is not None and figure.high is not None:
        return _range(figure.low, figure.high, figure.unit)
    if figure.low is not None:
        return format_html('<span title="{}">≥ {}</span>', figure.why, _with_unit(*_scaled(figure.low, figure.unit)))
    return unknown(figure.why or "The server did not say.")


def _scaled(value: float, unit: str) -> tuple[str, str]:
    if unit == "B":
        return units.memory(value)
    if unit == "B on disk":
        return units.disk(value)
    if unit == "s":
        parts = units.duration(value)
        return " ".join(f"{figure} {word}" for figure, word in parts[:-1]) + (" " if len(parts) > 1 else "") + parts[
            -1
        ][0], parts[-1][1]
    return (units.count(value) if value == int(value) else f"{value:.2g}"), unit


def _with_unit(shown: str, unit: str) -> SafeString:
    return format_html('{}<span class="u">{}</span>', shown, unit) if unit else format_html("{}", shown)


def _estimate(value: float, low: float, high: float, unit: str) -> SafeString:
    half = max(value - low, high - value)
    shown, word = _scaled(value, unit)
    bound, bound_word = _scaled(half, unit)
    return format_html(
        '<span class="nowrap"><span class="approx">≈</span>{}<span class="pm">±{}{}</span></span>',
        _with_unit(shown, word), bound, "" if bound_word == word else f" {bound_word}",
    )  # fmt: skip


def _range(low: float, high: float, unit: str) -> SafeString:
    least, least_word = _scaled(low, unit)
    most, word = _scaled(high, unit)
    between = f"{least} to {most}" if least_word == word else f"{least} {least_word} to {most}"
    return _with_unit(between, word)


@register.filter
def cell(content: Cell) -> SafeString:
    if content.amount is not None:
        return amount(content.amount)
    return name(content.name) if content.name is not None else conditional_escape(content.text)


@register.filter
def commands(lines: tuple[str, ...]) -> str:
    """Lines of a plan's commands; whoever shows them escapes them."""
    return "\n".join(lines)


@register.filter
def mean_s(sent: dict[str, Any]) -> float:
    """The mean time of commands of one shape."""
    return float(sent["total_s"]) / max(int(sent["count"]), 1)


@register.inclusion_tag("operations/parts/frozen.html", takes_context=True)
def frozen(context: template.Context) -> dict[str, Any]:
    """The freezes that concern what a page shows: its server, or the servers in scope. Cost: one small query."""
    operator = context.get("frame_operator")
    if not operator:
        return {}
    here = context.get("frame_server")
    shown = [here] if here else context.get("frame_servers") or ()
    freezes = [
        freeze
        for freeze in freezes_here(context["request"])
        if freeze.scope == "all"
        or any(freeze.covers(environment=server.environment, server_key=server.key) for server in shown)
    ]
    return {"freezes": freezes[:MOST_FROZEN], "more_count": max(0, len(freezes) - MOST_FROZEN)}


@register.filter
def action_title(key: str) -> str:
    """What was done, in words."""
    return title_of(key)


@register.filter
def moment_ms(at_ms: int) -> datetime:
    """Milliseconds since 1970 as a moment."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)

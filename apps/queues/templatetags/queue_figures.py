"""Counts and ages of queues as figures: how well each is known is part of how it is written."""

from __future__ import annotations

from functools import lru_cache

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.engine import units
from apps.engine.contracts.adapter import Age, Count, Known, Workers
from apps.shell.templatetags.shell import duration, unknown

register = template.Library()


@register.filter
def jobs(number: Count) -> SafeString:
    """1,391; ≥ 10,000; unknown; or – where the framework has no such thing, the reason in the title."""
    if number.known is Known.NONE:
        return _none(number.why)
    if number.value is None:
        return unknown(number.why)
    figure = units.count(number.value)
    if number.known is Known.AT_LEAST:
        return format_html('<span class="bracket" title="{}">≥ {}</span>', number.why, figure)
    return SafeString(figure)


@lru_cache(maxsize=64, typed=True)
def _none(why: str) -> SafeString:
    return format_html('<span class="none" title="{}">–</span>', why)


@register.filter
def waits(age: Age) -> SafeString:
    """11 min; ≥ 19 d underlined; unknown; or – where nothing waits."""
    if age.known is Known.NONE:
        return _none(age.why)
    if age.low_s is None:
        return unknown(age.why)
    if age.high_s is None:
        return format_html('<span class="bracket nowrap" title="{}">≥ {}</span>', age.why, duration(age.low_s))
    if age.high_s > age.low_s:
        return format_html(
            '<span class="bracket nowrap" title="{}">{} to {}</span>',
            age.why,
            duration(age.low_s),
            duration(age.high_s),
        )
    return format_html('<span class="nowrap" title="{}">{}</span>', age.why, duration(age.low_s))


@register.filter
def hands(workers: Workers) -> SafeString:
    """2 of 3 workers alive; none seen; or unknown, the reason in the title."""
    if workers.known is Known.UNKNOWN:
        return unknown(workers.why)
    if not workers.workers:
        return format_html(
            '<span title="{}">none seen</span>', workers.why or "No worker is registered for this queue."
        )
    seen = len(workers.workers)
    if not workers.alive_count:
        return format_html('<span class="sig-crit">0 of {}</span>', seen)
    return format_html("{} of {}", workers.alive_count, seen)

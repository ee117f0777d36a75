"""Counts and ages of queues as figures: how well each is known is part of how it is written."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.engine import units
from apps.engine.contracts.adapter import Age, Count, Known
from apps.shell.templatetags.shell import duration, unknown

register = template.Library()


@register.filter
def jobs(number: Count) -> SafeString:
    """1,391; ≥ 10,000; unknown; or – where the framework has no such thing, the reason in the title."""
    if number.known is Known.NONE:
        return format_html('<span class="none" title="{}">–</span>', number.why)
    if number.value is None:
        return unknown(number.why)
    figure = units.count(number.value)
    if number.known is Known.AT_LEAST:
        return format_html('<span class="bracket" title="{}">≥ {}</span>', number.why, figure)
    return format_html("{}", figure)


@register.filter
def waits(age: Age) -> SafeString:
    """11 min; ≥ 19 d underlined; unknown; or – where nothing waits."""
    if age.known is Known.NONE:
        return format_html('<span class="none" title="{}">–</span>', age.why)
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

"""The words every page is made of: icon, signal, plate, figures with units, times, bars, and names made of bytes.

What came from a server is escaped here, in one place: by format_html, and by conditional_escape or html.escape in the few that
a long list asks thousands of times.
"""

from __future__ import annotations

import html
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from django import template
from django.conf import settings
from django.core.signals import setting_changed
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import conditional_escape, escape, format_html
from django.utils.safestring import SafeString

from apps.engine import text, units

register = template.Library()
# A figure, or that there is none: None, and the empty text that a template makes of a name that is not there.
Figure: TypeAlias = float | Literal[""] | None


# Pages hold hundreds of the same few shapes and units: each is made once a process. Typed, so that a text which is safe never
# stands for an equal one that is not.
@register.simple_tag
@lru_cache(maxsize=512, typed=True)
def icon(name: str, size: str = "") -> SafeString:
    """{% icon "search" %}, {% icon "search" "sm" %}: a name of tools/icons.txt."""
    kind = "icon icon-sm" if size == "sm" else "icon"
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>', kind, static("icons.svg"), name)


@register.simple_tag
def sig(signal: str, words: Any = "", quiet: bool = False) -> SafeString:
    """{% sig "crit" "2 backlogs stuck" %}: ok info warn crit down unknown skip run pause done; shape, word and colour together."""
    return SafeString(f"{_opened(signal, quiet)}{conditional_escape(words)}</span>")


@lru_cache(maxsize=64, typed=True)
def _opened(signal: str, quiet: bool) -> SafeString:
    return format_html('<span class="sig sig-{}{}">{}', signal, " sig-quiet" if quiet else "", _shape(signal))


@lru_cache(maxsize=64, typed=True)
def _shape(signal: str) -> SafeString:
    return format_html('<svg aria-hidden="true"><use href="{}#{}"/></svg>', static("signals.svg"), signal)


def _forget(*, setting: str, **_: Any) -> None:
    """The sprites have other addresses when the static files do, and plates follow the environments."""
    plate.cache_clear()
    if setting in ("STORAGES", "STATIC_URL", "STATIC_ROOT"):
        icon.cache_clear()
        _opened.cache_clear()
        _shape.cache_clear()


setting_changed.connect(_forget)


@register.simple_tag
@lru_cache(maxsize=64, typed=True)
def plate(environment: str) -> SafeString:
    """The environment as a plate. An environment of one's own looks like the one whose policy it has."""
    return format_html('<span class="plate plate-{}">{}</span>', policy_of(environment), environment.upper())


@register.filter
def edge(signal: str) -> str:
    """The class of a row's left edge: only what needs somebody has one."""
    return {"down": "edge-crit", "crit": "edge-crit", "warn": "edge-warn"}.get(signal, "")


@register.filter
def fullness(ratio: float) -> str:
    """The colour of a bar whose threshold is 85 %."""
    return "crit" if ratio >= 0.95 else "warn" if ratio >= 0.85 else ""


@register.filter
def policy_of(environment: str) -> str:
    return str(settings.ENVIRONMENTS.get(environment, {"policy": "prod"})["policy"])


@lru_cache(maxsize=1024, typed=True)
def _figure(value: str, unit: str) -> SafeString:
    return escape(value) + _unit(unit)


@lru_cache(maxsize=1024, typed=True)
def _number(value: str) -> SafeString:
    return escape(value)


@lru_cache(maxsize=256, typed=True)
def _unit(unit: str) -> SafeString:
    return format_html('<span class="u">{}</span>', unit)


@lru_cache(maxsize=64, typed=True)
def unknown(why: str = "The server did not say.") -> SafeString:
    return format_html('<span class="why-unknown" title="{}">unknown</span>', why)


@register.filter
def bytes_iec(value: Figure) -> SafeString:
    """Memory: 1536 as 1.5 KiB."""
    return unknown() if value is None or value == "" else _figure(*units.memory(value))


@register.filter
def bytes_si(value: Figure) -> SafeString:
    """Disks and files: 1500000 as 1.5 MB."""
    return unknown() if value is None or value == "" else _figure(*units.disk(value))


@register.filter
def count(value: Figure, unit: str = "") -> SafeString:
    """{{ n|count:"keys" }}: 2,134,880 keys; without a unit where the table's head says it."""
    if value is None or value == "":
        return unknown()
    return _figure(units.count(value), unit) if unit else _number(units.count(value))


@register.filter
def percent(ratio: Figure) -> SafeString:
    """0.941 as 94.1 %."""
    return unknown() if ratio is None or ratio == "" else _figure(units.share(ratio), "%")


@register.filter
def duration(seconds: Figure) -> SafeString:
    """3725 as 1 h 2 min."""
    if seconds is None or seconds == "":
        return unknown()
    if seconds == 0:
        return _figure("0", "s")
    return SafeString(" ".join([_figure(figure, unit) for figure, unit in units.duration(float(seconds))]))


@register.filter
def rate(value: Figure, unit: str = "/s") -> SafeString:
    """{{ 18400|rate:"ops/s" }}: 18.4 k ops/s."""
    if value is None or value == "":
        return unknown("Two samples of one run make a rate; there is only one yet.")
    figure, prefix = units.rate(value)
    return _figure(figure, f"{prefix} {unit}".strip())


@register.simple_tag
def used_of(used: Figure, room: Figure, is_memory: bool = True) -> SafeString:
    """21.9 / 24 GiB; with two units where they differ, and without a limit where there is none."""
    if used is None or used == "":
        return unknown()
    shown = units.memory if is_memory else units.disk
    figure, unit = shown(used)
    if not room:
        return _figure(figure, unit)
    limit, limit_unit = shown(room)
    return _figure(figure, f"{'' if unit == limit_unit else unit + ' '}/ {limit} {limit_unit}")


@register.filter
def ago(at: datetime | None) -> SafeString:
    """A moment as "4 min ago", the exact UTC time in its title."""
    if at is None:
        return unknown("Not seen yet.")
    seconds = (timezone.now() - at).total_seconds()
    whole = _coarse(abs(seconds))
    words = "now" if abs(seconds) < 1 else f"{whole} ago" if seconds > 0 else f"in {whole}"
    at = at.astimezone(UTC)
    return SafeString(f'<time datetime="{at.isoformat()}" title="{at:%-d %b %Y %H:%M:%S} UTC">{words}</time>')


def _coarse(seconds: float) -> str:
    """4 min for 245 s, 1 h 50 min for 6600 s: the second unit only while the first says little."""
    if seconds < 60:
        return f"{int(seconds)} s"
    parts = units.duration(seconds)[: 2 if seconds >= 3600 else 1]
    return " ".join(f"{figure} {unit}" for figure, unit in (parts if int(parts[0][0]) < 3 else parts[:1]))


@register.filter
def utc(at: datetime | None) -> str:
    """20 Nov 2026 03:12:36 UTC."""
    return f"{at.astimezone(UTC):%-d %b %Y %H:%M:%S} UTC" if at else "unknown"


@register.simple_tag
def top_clock() -> SafeString:
    """The console's own clock, which the page's script moves on."""
    now = timezone.now().astimezone(UTC)
    day, time = f"{now:%-d %b %Y,%H:%M:%S}".split(",")
    moment = now.isoformat(timespec="seconds")
    return SafeString(
        f'<time class="sb-clock" data-clock datetime="{moment}" title="{day} {time} UTC">{time} UTC</time>'
    )


@register.simple_tag
def facts(state: Any) -> SafeString:
    """{% facts server_state %}: what the bar says of a server beside its name, from the last sample."""
    redis = state.server.is_redis
    load = [] if state.load_per_s is None else [("Load", "", rate(state.load_per_s, "ops/s" if redis else "tx/s"))]
    told = [
        ("Memory" if redis else "Data", "", used_of(state.used_bytes, state.room_bytes, redis)),
        *load,
        ("Clients" if redis else "Connections", "", count(state.figures.get("clients_count"))),
        ("Round trip", ' title="The console\'s own question and answer"', duration(state.figures.get("latency_s"))),
    ]
    said = "".join([f"<span{title}>{word} <b>{figure}</b></span>" for word, title, figure in told])
    return SafeString(f"{said}<span>{'last known, ' if state.stale else 'sampled '}{ago(state.figures_at)}</span>")


@register.filter
def clock(at: datetime | None) -> SafeString:
    """A moment in logs: 03:12:36, the whole in its title."""
    return (
        unknown("Not seen yet.")
        if at is None
        else format_html('<time title="{}">{}</time>', utc(at), f"{at.astimezone(UTC):%H:%M:%S}")
    )


@register.filter
def dash(value: Any, why: str = "Does not apply.") -> SafeString:
    """The value, or – with a reason where it does not apply (None or empty)."""
    return _none(why) if value in (None, "") else conditional_escape(value)


@lru_cache(maxsize=256, typed=True)
def _none(why: str) -> SafeString:
    return format_html('<span class="none" title="{}">–</span>', why)


@register.filter
def name(raw: bytes | str, most: int = 256) -> SafeString:
    """A name, member or value from a server: bytes as text, hidden characters as escapes in their own colour."""
    raw = raw.encode("utf-8", "surrogateescape") if isinstance(raw, str) else bytes(raw)
    runs = text.pieces(raw, most=most)
    if len(raw) <= most and len(runs) == 1 and not runs[0][1]:
        shown = html.escape(runs[0][0])
        return SafeString(f'<bdi title="{shown}">{shown}</bdi>')
    pieces = [format_html('<span class="esc">{}</span>', run) if escaped else escape(run) for run, escaped in runs]
    shown = format_html("{}" * len(pieces), *pieces) if pieces else escape("")
    return format_html('<bdi title="{}">{}{}</bdi>', text.plain(raw, most=1024), shown, "…" if len(raw) > most else "")


@register.filter
def ref(raw: bytes | str) -> str:
    """Bytes as a part of a URL."""
    return text.ref(raw.encode("utf-8", "surrogateescape") if isinstance(raw, str) else bytes(raw))


@register.simple_tag
def bar(ratio: Figure, kind: str = "", mark: float | None = None, classes: str = "") -> SafeString:
    """A share as a bar: kind "" warn crit ok accent s1..s6; mark is a threshold. Widths are SVG attributes."""
    if ratio is None or ratio == "":
        return SafeString("")
    width = f"{min(max(ratio, 0), 1) * 100:.1f}%"
    return _drawn(width, units.share(ratio), f"fill-{kind}" if kind else "fill", mark, classes)


@lru_cache(maxsize=1024, typed=True)
def _drawn(width: str, share: str, fill: str, mark: float | None, classes: str) -> SafeString:
    line = (
        format_html('<rect class="mark" x="{}%" y="-2" width="1.5" height="12"/>', f"{mark * 100:.0f}")
        if mark is not None
        else ""
    )
    return format_html(
        '<svg class="bar {}" role="img" aria-label="{} %"><rect class="track" width="100%" height="100%" rx="2"/>'
        '<rect class="{}" width="{}" height="100%" rx="2"/>{}</svg>',
        classes, share, fill, width, line,
    )  # fmt: skip

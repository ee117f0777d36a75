"""Rows of the board as their template puts them down: what a cell says, and what stands in it at all, is decided here."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.engine.contracts.adapter import Count
from apps.queues.presented import Group, Line
from apps.queues.templatetags.queue_figures import hands, jobs, waits
from apps.shell.templatetags.shell import name, plate, sig
from apps.shell.templatetags.table_rows import NOTHING, class_of

OWN = SafeString('<span class="tag" title="The console\'s own broker">own</span>')


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLine:
    """One queue. `server` is a cell of its own where all servers are shown; `why` is empty where the heading says enough."""

    edge: SafeString
    verdict: SafeString
    reason: str
    why: SafeString
    name: SafeString
    kind: str
    own: SafeString
    server: SafeString
    strong: str
    ready: SafeString
    running: SafeString
    scheduled: SafeString
    failed: SafeString
    abandoned: SafeString
    oldest: SafeString
    workers: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownGroup:
    heading: str
    lines: list[ShownLine]


def shown_groups(groups: tuple[Group, ...], *, with_server: bool) -> list[ShownGroup]:
    return [
        ShownGroup(heading=group.heading, lines=[_line(line, group, with_server=with_server) for line in group.lines])
        for group in groups
    ]


def _line(line: Line, group: Group, *, with_server: bool) -> ShownLine:
    judged, snapshot, href = line.judged, line.judged.snapshot, line.href
    return ShownLine(
        edge=class_of(group.edge),
        verdict=sig(judged.verdict.signal, judged.verdict.value),
        reason=judged.reason,
        why=format_html('<div class="small ink-3 qreason">{}</div>', judged.reason) if group.says_why else NOTHING,
        name=_named(line, href),
        kind=line.kind,
        own=OWN if line.own else NOTHING,
        server=_server(line) if with_server else NOTHING,
        strong=" strong" if snapshot.ready.some else "",
        ready=jobs(snapshot.ready),
        running=jobs(snapshot.running),
        scheduled=jobs(snapshot.scheduled),
        failed=_failed(snapshot.failed, href),
        abandoned=_abandoned(snapshot.abandoned),
        oldest=waits(judged.oldest),
        workers=hands(snapshot.workers),
    )


def _named(line: Line, href: str) -> SafeString:
    shown = name(line.judged.snapshot.queue.name, 64)
    if line.part:
        shown = format_html('{} <span class="ink-3">{}</span>', shown, name(line.part, 48))
    if href:
        return format_html('<a class="mono strong ink qname clip" href="{}">{}</a>', href, shown)
    too_long = '<span class="mono strong qname clip" title="This name is too long to be opened">{}</span>'
    return format_html(too_long, shown)


def _server(line: Line) -> SafeString:
    cell = '<td><span class="row-flex">{}<a class="mono small ink-2 nowrap" href="{}">{}</a></span></td>'
    return format_html(cell, plate(line.server.environment), line.server_href, line.server.key)


def _failed(count: Count, href: str) -> SafeString:
    """Failed jobs lead to the list of them."""
    shown = jobs(count)
    return (
        format_html('<a class="sig-crit" href="{}?state=failed">{}</a>', href, shown) if href and count.some else shown
    )


def _abandoned(count: Count) -> SafeString:
    return format_html('<span class="sig-warn">{}</span>', jobs(count)) if count.some else jobs(count)

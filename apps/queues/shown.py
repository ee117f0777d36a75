"""Rows of the board as the template puts them down: what a cell says is made once, before the template asks for it."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.engine.contracts.adapter import Count
from apps.queues.presented import Group, Line
from apps.queues.templatetags.queue_figures import hands, jobs, waits
from apps.shell.templatetags.shell import name, plate, sig


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLine:
    """One queue. `href` is empty where its name does not fit into an address; `why` where the heading says enough."""

    edge: str
    verdict: SafeString
    reason: str
    why: str
    name: SafeString
    href: str
    kind: str
    own: bool
    plate: SafeString
    server: str
    server_href: str
    has_ready: bool
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


def shown_groups(groups: tuple[Group, ...]) -> list[ShownGroup]:
    return [
        ShownGroup(heading=g.heading, lines=[_line(line, g.edge, says_why=g.says_why) for line in g.lines])
        for g in groups
    ]


def _line(line: Line, edge: str, *, says_why: bool) -> ShownLine:
    judged, snapshot, href = line.judged, line.judged.snapshot, line.href
    return ShownLine(
        edge=edge,
        verdict=sig(judged.verdict.signal, judged.verdict.value),
        reason=judged.reason,
        why=judged.reason if says_why else "",
        name=_named(line),
        href=href,
        kind=line.kind,
        own=line.own,
        plate=plate(line.server.environment),
        server=line.server.key,
        server_href=line.server_href,
        has_ready=snapshot.ready.some,
        ready=jobs(snapshot.ready),
        running=jobs(snapshot.running),
        scheduled=jobs(snapshot.scheduled),
        failed=_failed(snapshot.failed, href),
        abandoned=_abandoned(snapshot.abandoned),
        oldest=waits(judged.oldest),
        workers=hands(snapshot.workers),
    )


def _named(line: Line) -> SafeString:
    shown = name(line.judged.snapshot.queue.name, 64)
    return format_html('{} <span class="ink-3">{}</span>', shown, name(line.part, 48)) if line.part else shown


def _failed(count: Count, href: str) -> SafeString:
    """Failed jobs lead to the list of them."""
    shown = jobs(count)
    return (
        format_html('<a class="sig-crit" href="{}?state=failed">{}</a>', href, shown) if href and count.some else shown
    )


def _abandoned(count: Count) -> SafeString:
    return format_html('<span class="sig-warn">{}</span>', jobs(count)) if count.some else jobs(count)

"""Readings laid out for a page: filtered, grouped by verdict, and summed up in one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from apps.engine.contracts.adapter import Known
from apps.engine.text import plain
from apps.engine.units import count
from apps.queues.fleet import Reading
from apps.queues.own_broker import own_database
from apps.queues.verdicts import Judged, Verdict
from apps.servers.models import Server
from apps.shell.pages import url_of

WORDS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of the table. `own` marks the console's own broker; `server_href` is the page of all queues of its server."""

    server: Server
    server_href: str
    judged: Judged
    own: bool

    @property
    def name(self) -> str:
        queue = self.judged.snapshot.queue
        return plain(queue.name) + (f" {plain(queue.part)}" if queue.part else "")

    @property
    def href(self) -> str:
        """Its page; empty where its name does not fit into an address."""
        queue = self.judged.snapshot.queue
        if not queue.is_addressable:
            return ""
        return _before_ref(self.server.key, queue.adapter) + f"{queue.ref}/"

    @property
    def part(self) -> bytes:
        """What stands beside the name: the group of a stream."""
        queue = self.judged.snapshot.queue
        return queue.part if queue.adapter == "stream" else b""

    @property
    def kind(self) -> str:
        """Its framework, and its database where that is not the first."""
        queue = self.judged.snapshot.queue
        if queue.database in ("", "0") or not self.server.is_redis:
            return queue.framework
        return f"{queue.framework}, db {queue.database}"

    @property
    def failed(self) -> bool:
        return self.judged.snapshot.failed.some or self.judged.snapshot.abandoned.some

    def matches(self, text: str) -> bool:
        words = f"{self.name} {self.judged.snapshot.queue.framework} {self.server.key} {self.server.environment}"
        return text.casefold() in words.casefold()


def _before_ref(key: str, adapter: str) -> str:
    """The address of every queue of a framework but for its last word: routes are turned into addresses once, not a row."""
    return url_of("queues:queue", key, adapter, "0").removesuffix("0/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows of one heading, whose verdicts need somebody alike."""

    heading: str
    lines: tuple[Line, ...]

    @property
    def edge(self) -> str:
        """The class of the rows' left edge."""
        signal = self._verdict.signal
        return "edge-crit" if signal in ("down", "crit") else "edge-warn" if signal == "warn" else ""

    @property
    def says_why(self) -> bool:
        return self._verdict.needs_you or self._verdict is Verdict.UNKNOWN

    @property
    def _verdict(self) -> Verdict:
        return self.lines[0].judged.verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A whole page of queues. `failing` are servers that could not be read, with their readings."""

    groups: tuple[Group, ...]
    failing: tuple[tuple[Server, Reading], ...]
    partly: tuple[tuple[Server, Reading], ...]
    sentence: str
    counted: str
    shown_count: int
    all_count: int
    need_count: int
    failed_count: int


def board(servers: Sequence[Server], readings: Sequence[Reading], *, text: str = "", only: str = "") -> Board:
    """`only` is "need" or "failed" or empty for all. Counts are of all queues, whatever is filtered away."""
    pairs = list(zip(servers, readings, strict=True))
    lines = sorted(_lines(pairs), key=lambda line: (*line.judged.order, line.server.key))
    shown = [line for line in lines if line.matches(text.strip()) and _wanted(line, only)]
    return Board(
        groups=tuple(
            Group(heading=heading, lines=tuple(some))
            for heading, some in groupby(shown, key=lambda line: line.judged.verdict.heading)
        ),
        failing=tuple((server, reading) for server, reading in pairs if reading.error),
        partly=tuple((server, reading) for server, reading in pairs if reading.problems),
        sentence=_sentence(lines),
        counted=_counted(pairs),
        shown_count=len(shown),
        all_count=len(lines),
        need_count=sum(_wanted(line, "need") for line in lines),
        failed_count=sum(line.failed for line in lines),
    )


def _lines(pairs: Iterable[tuple[Server, Reading]]) -> Iterable[Line]:
    for server, reading in pairs:
        own = own_database(server) if server.is_redis else None
        href = url_of("queues:server", server.key)
        for each in reading.queues:
            mine = own is not None and each.snapshot.queue.database == own
            yield Line(server=server, server_href=href, judged=each, own=mine)


def _wanted(line: Line, only: str) -> bool:
    if only == "need":
        return line.judged.verdict.needs_you
    return line.failed if only == "failed" else True


def _sentence(lines: Sequence[Line]) -> str:
    """14 backlogs, 36,715 jobs waiting. Two are stuck, one is behind."""
    if not lines:
        return "No queue was found"
    backlogs = f"{count(len(lines))} {'queue' if len(lines) == 1 else 'queues'}"
    ready = [line.judged.snapshot.ready for line in lines]
    waiting = sum(number.value or 0 for number in ready)
    inexact = any(number.known in (Known.AT_LEAST, Known.UNKNOWN) for number in ready)
    jobs = f"{'at least ' if inexact else ''}{count(waiting)} {'job' if waiting == 1 else 'jobs'} waiting"
    return f"{backlogs}, {jobs}. {_trouble(lines)}"


def _trouble(lines: Sequence[Line]) -> str:
    verdicts = [line.judged.verdict for line in lines]
    stuck = sum(verdict in (Verdict.DEAD, Verdict.STALLED) for verdict in verdicts)
    kinds = (
        (stuck, "stuck"),
        (verdicts.count(Verdict.BEHIND), "behind"),
        (verdicts.count(Verdict.ABANDONED), "abandoned in part"),
    )
    said = [f"{_number(number)} {'is' if number == 1 else 'are'} {word}" for number, word in kinds if number]
    text = ", ".join(said)
    return f"{text[0].upper()}{text[1:]}." if text else "None needs you."


def _number(number: int) -> str:
    return WORDS[number].lower() if number < len(WORDS) else count(number)


def _counted(pairs: Sequence[tuple[Server, Reading]]) -> str:
    """What was looked at, how, and that nothing was written."""
    frameworks = {each.snapshot.queue.framework for _, reading in pairs for each in reading.queues}
    read = sum(reading.error is None for _, reading in pairs)
    keys = sum(reading.keys_count for _, reading in pairs)
    looked = sum(reading.looked_count for _, reading in pairs)
    kinds = f"{_plural(len(frameworks), 'kind')} of queue on {read} of {_plural(len(pairs), 'server')}."
    if looked >= keys:
        return kinds
    return f"{kinds} Looked at {count(looked)} of {count(keys)} names for Celery and streams so far; it goes on at each look."


def _plural(number: int, word: str) -> str:
    return f"{count(number)} {word}" if number == 1 else f"{count(number)} {word}s"

"""What a look at one queue allows to be said now. Whether it grows or drains takes two looks apart, and is not claimed here."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from apps.engine.contracts.adapter import Age, Count, Known, Snapshot
from apps.engine.units import count, duration_text

BEHIND_S = 300.0
UNMOVED_S = 120.0
PROMPT_S = 60.0


class Verdict(enum.StrEnum):
    """Worst first: the order of the page."""

    DEAD = "dead"
    STALLED = "stalled"
    BEHIND = "behind"
    ABANDONED = "abandoned"
    UNKNOWN = "unknown"
    WAITING = "waiting"
    WELL = "keeping up"
    PAUSED = "paused"

    @property
    def rank(self) -> int:
        return list(Verdict).index(self)

    @property
    def signal(self) -> str:
        return _SIGNALS[self]

    @property
    def needs_you(self) -> bool:
        return self in (Verdict.DEAD, Verdict.STALLED, Verdict.BEHIND, Verdict.ABANDONED)

    @property
    def heading(self) -> str:
        return _HEADINGS[self]


_SIGNALS = {
    Verdict.DEAD: "down",
    Verdict.STALLED: "crit",
    Verdict.BEHIND: "warn",
    Verdict.ABANDONED: "warn",
    Verdict.UNKNOWN: "unknown",
    Verdict.WAITING: "info",
    Verdict.WELL: "ok",
    Verdict.PAUSED: "pause",
}
_HEADINGS = {
    Verdict.DEAD: "Stuck: nothing leaves, or nobody works",
    Verdict.STALLED: "Stuck: nothing leaves, or nobody works",
    Verdict.BEHIND: "Behind: the oldest waits for over 5 min",
    Verdict.ABANDONED: "Abandoned: taken, and not finished",
    Verdict.UNKNOWN: "Unknown: it could not be counted",
    Verdict.WAITING: "Waiting",
    Verdict.WELL: "Keeping up",
    Verdict.PAUSED: "Paused",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A snapshot with what is said about it. `oldest` may know more than the snapshot: a lower bound of two looks."""

    snapshot: Snapshot
    verdict: Verdict
    reason: str
    oldest: Age

    @property
    def order(self) -> tuple[int, int, bytes]:
        """Worst first, then the longest backlog, then by name."""
        return self.verdict.rank, -(self.snapshot.ready.value or 0), self.snapshot.queue.name


def judged(snapshot: Snapshot, *, unmoved_s: float) -> Judged:
    """`unmoved_s` is how long the same job is known to be next: nothing left the queue meanwhile."""
    oldest = _bounded(snapshot, unmoved_s)
    verdict, reason = _verdict(snapshot, oldest, unmoved_s)
    return Judged(snapshot=snapshot, verdict=verdict, reason=reason, oldest=oldest)


def _bounded(snapshot: Snapshot, unmoved_s: float) -> Age:
    if snapshot.oldest.known is not Known.UNKNOWN or not snapshot.ready.some or unmoved_s < 1:
        return snapshot.oldest
    return Age.at_least(unmoved_s, f"The same job is next since this console first looked. {snapshot.oldest.why}")


def _verdict(snapshot: Snapshot, oldest: Age, unmoved_s: float) -> tuple[Verdict, str]:
    ready, waited_s = snapshot.ready, oldest.low_s or 0.0
    if ready.known is Known.UNKNOWN:
        return Verdict.UNKNOWN, ready.why
    if snapshot.paused:
        return Verdict.PAUSED, "Workers are told to take nothing."
    if not ready.some:
        return _of_idle(snapshot)
    if snapshot.workers.none_seen:
        return Verdict.DEAD, f"{_jobs(ready)} waiting and no worker was seen."
    if unmoved_s >= UNMOVED_S and not snapshot.running.some:
        return Verdict.STALLED, f"Nothing has left for at least {duration_text(unmoved_s)}."
    if waited_s >= BEHIND_S:
        return Verdict.BEHIND, f"The oldest waits for {duration_text(waited_s)}."
    if snapshot.abandoned.some:
        return Verdict.ABANDONED, f"{_jobs(snapshot.abandoned)} taken and not finished in time."
    if oldest.high_s is not None and oldest.high_s < PROMPT_S:
        return Verdict.WELL, f"The oldest waits for {duration_text(oldest.high_s)}."
    return Verdict.WAITING, f"{_jobs(ready)} waiting."


def _of_idle(snapshot: Snapshot) -> tuple[Verdict, str]:
    if snapshot.abandoned.some:
        return Verdict.ABANDONED, f"{_jobs(snapshot.abandoned)} taken and not finished in time."
    return Verdict.WELL, "Nothing waits."


def _jobs(number: Count) -> str:
    at_least = "at least " if number.known is Known.AT_LEAST else ""
    return f"{at_least}{count(number.value or 0)} {'is' if number.value == 1 else 'are'}"

"""What the sessions of a PostgreSQL waited for in the last minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apps.engine.contracts.probe import label_of
from apps.history import series
from apps.history.series import Chart
from apps.servers.models import Server

SPAN_S = 60
EVENTS, RUNNING = "sessions_waiting_count", "sessions_by_wait_count[running]"
MOST = 6
COLOURS = {"Lock": "s2", "running": "s3", "IO": "s1", "LWLock": "s4"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One event, as `Lock: transactionid`, and the share of the sessions at work that waited for it. `colour` is of the bar."""

    name: str
    ratio: float
    colour: str


def waits_of(server: Server, *, now_s: float) -> tuple[Wait, ...] | None:
    """What working sessions waited for, most first, the rest as `other`; empty where none was at work, None where that was not sampled.

    Shape: at most seven. Units: shares of the sessions seen. Cost: a read of series of one minute. Errors: none. Source: the
    console's own samples, each one look at the sessions.
    """
    begin_s = now_s - SPAN_S
    labels = series.labels(server, EVENTS, begin_s=begin_s, end_s=now_s)
    names = [*(f"{EVENTS}[{label}]" for label in labels), RUNNING]
    chart = series.read(server, names, begin_s=begin_s, end_s=now_s)
    return _shares(_summed(chart)) if any(line.last is not None for line in chart.lines.values()) else None


def _summed(chart: Chart) -> Mapping[str, float]:
    """Sessions by label, added up over the samples: one that is not there was not seen."""
    sums = {label_of(name): sum(value or 0.0 for value in line.mean) for name, line in chart.lines.items()}
    return {label: count for label, count in sums.items() if count}


def _shares(counts: Mapping[str, float]) -> tuple[Wait, ...]:
    total = sum(counts.values())
    ordered = sorted(counts, key=lambda label: (-counts[label], label))
    shown = tuple(
        Wait(name=_words(label), ratio=counts[label] / total, colour=COLOURS.get(label.partition("/")[0], ""))
        for label in ordered[:MOST]
    )
    rest = sum(counts[label] for label in ordered[MOST:])
    return (*shown, Wait(name="other", ratio=rest / total, colour="")) if rest else shown


def _words(label: str) -> str:
    return "waits for nothing" if label == "running" else label.replace("/", ": ", 1)

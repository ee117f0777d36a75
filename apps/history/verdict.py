"""How a server is, in one shape and a few words. Pure: figures in, findings out, so that every row of it can be tested.

Thresholds are constants here. A rule that lacks its figure says nothing: what is not known is neither good nor bad.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.engine.units import duration_text, share

SIGNALS = ("down", "crit", "warn", "unknown", "info", "ok")  # worst first

FULL_WARN, FULL_CRIT = 0.85, 0.95
LAG_WARN_S, LAG_CRIT_S = 30.0, 300.0
LOCK_WARN_S, LOCK_CRIT_S = 30.0, 600.0
TRANSACTION_WARN_S = 600.0
ROUND_TRIP_WARN_S = 0.25
TRANSACTION_AGE_MOST = 2_000_000_000
TRANSACTION_AGE_WARN, TRANSACTION_AGE_CRIT = 0.5, 0.75
STALE_AFTER_S = 60.0
SOON_S, FORETOLD_S = 3 * 86_400.0, 14 * 86_400.0

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`signal` is the shape, `reason` the words beside it."""

    signal: str
    reason: str

    @property
    def rank(self) -> int:
        return SIGNALS.index(self.signal)


# Why a probe failed, by the engine's word for it. What does not answer is down; what answers "no" needs a hand.
FAILURES = {
    "unreachable": Finding(signal="down", reason="cannot be reached"),
    "timeout": Finding(signal="down", reason="does not answer"),
    "name": Finding(signal="down", reason="name not found"),
    "tls": Finding(signal="crit", reason="TLS fails"),
    "authentication": Finding(signal="crit", reason="sign-in refused"),
    "permission": Finding(signal="crit", reason="a right is missing"),
    "address": Finding(signal="crit", reason="address not allowed"),
    "secret": Finding(signal="crit", reason="secret unusable"),
    "wrong-kind": Finding(signal="crit", reason="another kind of server"),
    "too-old": Finding(signal="crit", reason="version too old"),
    "busy": Finding(signal="crit", reason="too busy to answer"),
}
WELL = Finding(signal="ok", reason="well")
NOT_YET = Finding(signal="unknown", reason="not looked at yet")
NOT_LATELY = Finding(signal="unknown", reason="not sampled lately")


def failure(kind: str) -> Finding:
    return FAILURES.get(kind, Finding(signal="crit", reason="cannot be read"))


def is_stale(tried_at: datetime, *, now: datetime, every_s: float) -> bool:
    """True when the sampler itself has fallen silent: six rounds missed, and at least a minute."""
    return now - tried_at > timedelta(seconds=max(STALE_AFTER_S, 6 * every_s))


def findings(figures: Figures, *, disk_bytes: int | None = None) -> list[Finding]:
    """Everything that is not well, worst first; empty when nothing is."""
    facts = {**figures, "disk_bytes": disk_bytes}
    return sorted((found for rule in RULES for found in rule(facts)), key=lambda finding: finding.rank)


def _full(ratio: float, words: str, *, crit: bool = True) -> Iterator[Finding]:
    if ratio >= FULL_WARN:
        signal = "crit" if crit and ratio >= FULL_CRIT else "warn"
        yield Finding(signal=signal, reason=f"{words} {share(round(ratio, 2))} %")


def memory(facts: Figures) -> Iterator[Finding]:
    """Critical only where a full memory refuses writes: a cache that evicts is often full by design."""
    used, most = facts.get("used_memory_bytes"), facts.get("maxmemory_bytes")
    if used is not None and most:
        yield from _full(used / most, "memory", crit=facts.get("eviction") == "noeviction")


def disk(facts: Figures) -> Iterator[Finding]:
    if facts.get("size_bytes") is not None and facts["disk_bytes"]:
        yield from _full(facts["size_bytes"] / facts["disk_bytes"], "disk")


def connections(facts: Figures) -> Iterator[Finding]:
    if facts.get("clients_count") is not None and facts.get("clients_max_count"):
        yield from _full(facts["clients_count"] / facts["clients_max_count"], "connections")


def persistence(facts: Figures) -> Iterator[Finding]:
    if facts.get("save_status") == "err":
        yield Finding(signal="crit", reason="last save failed")
    if facts.get("append_status") == "err":
        yield Finding(signal="crit", reason="append-only file fails")
    if facts.get("archive_status") == "failing":
        yield Finding(signal="crit", reason="WAL archiving fails")


def loading(facts: Figures) -> Iterator[Finding]:
    if facts.get("loading"):
        yield Finding(signal="warn", reason="loading its data")


def replication(facts: Figures) -> Iterator[Finding]:
    if facts.get("link") == "down":
        yield Finding(signal="crit", reason="link to primary down")
    lag_s = facts.get("replica_lag_s")
    if lag_s is not None and lag_s >= LAG_WARN_S:
        signal = "crit" if lag_s >= LAG_CRIT_S else "warn"
        yield Finding(signal=signal, reason=f"replica lag {duration_text(lag_s)}")


def locks(facts: Figures) -> Iterator[Finding]:
    waited_s = facts.get("longest_wait_s")
    if facts.get("waiting_count") and waited_s is not None and waited_s >= LOCK_WARN_S:
        signal = "crit" if waited_s >= LOCK_CRIT_S else "warn"
        yield Finding(signal=signal, reason=f"a lock held {duration_text(waited_s)}")


def transactions(facts: Figures) -> Iterator[Finding]:
    open_s = facts.get("longest_transaction_s")
    if open_s is not None and open_s >= TRANSACTION_WARN_S:
        yield Finding(signal="warn", reason=f"transaction open {duration_text(open_s)}")
    used = (facts.get("transaction_age_count") or 0) / TRANSACTION_AGE_MOST
    if used >= TRANSACTION_AGE_WARN:
        signal = "crit" if used >= TRANSACTION_AGE_CRIT else "warn"
        yield Finding(signal=signal, reason=f"transaction ids {share(round(used, 2))} %")


def round_trip(facts: Figures) -> Iterator[Finding]:
    latency_s = facts.get("latency_s")
    if latency_s is not None and latency_s >= ROUND_TRIP_WARN_S:
        yield Finding(signal="warn", reason=f"answers in {duration_text(latency_s)}")


def forecasts(facts: Figures) -> Iterator[Finding]:
    """A hint within two weeks, a warning within three days; never more than a hint for a cache, which is full by design."""
    for told in facts.get("forecasts") or ():
        soon = told["high_s"] is not None and told["high_s"] <= SOON_S
        evicts = told["figure"] == "used_memory_bytes" and facts.get("eviction") not in (None, "noeviction")
        if told["low_s"] <= FORETOLD_S:
            yield Finding(signal="warn" if soon and not evicts else "info", reason=told["words"])


RULES: tuple[Callable[[Figures], Iterator[Finding]], ...] = (
    persistence,
    replication,
    locks,
    memory,
    disk,
    connections,
    transactions,
    loading,
    round_trip,
    forecasts,
)

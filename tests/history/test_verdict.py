"""The verdict as a table: figures on the left, shape and words on the right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.engine import errors
from apps.history.verdict import FAILURES, SIGNALS, failure, findings, is_stale

GIB = 1024**3
NOW = datetime(2026, 11, 20, 3, 12, 36, tzinfo=UTC)


def memory(used: float, eviction: str) -> dict[str, Any]:
    return {"used_memory_bytes": used * GIB, "maxmemory_bytes": 24 * GIB, "eviction": eviction}


def foretold(words: str, low_days: float, high_days: float | None, eviction: str = "noeviction") -> dict[str, Any]:
    figure = "used_memory_bytes" if words.startswith("memory") else "size_bytes"
    high_s = None if high_days is None else high_days * 86_400
    told = {"figure": figure, "words": words, "low_s": low_days * 86_400, "high_s": high_s}
    return {"eviction": eviction, "forecasts": [told]}


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({}, []),
        (foretold("memory fills in 2 to 3 days", 2, 3), [("warn", "memory fills in 2 to 3 days")]),
        (
            foretold("memory fills in 2 to 3 days", 2, 3, eviction="allkeys-lru"),
            [("info", "memory fills in 2 to 3 days")],
        ),
        (foretold("disk fills in 9 to 12 days", 9, 12), [("info", "disk fills in 9 to 12 days")]),
        (foretold("disk fills in 2 days at the earliest", 2, None), [("info", "disk fills in 2 days at the earliest")]),
        (foretold("disk fills in 20 to 30 days", 20, 30), []),
        (memory(20.3, "noeviction"), []),
        (memory(21.9, "noeviction"), [("warn", "memory 91 %")]),
        (memory(23.5, "noeviction"), [("crit", "memory 98 %")]),
        (memory(24, "allkeys-lru"), [("warn", "memory 100 %")]),
        ({"used_memory_bytes": 90 * GIB, "maxmemory_bytes": 0}, []),
        ({"save_status": "err"}, [("crit", "last save failed")]),
        ({"save_status": "ok", "append_status": "ok", "archive_status": "ok"}, []),
        ({"append_status": "err"}, [("crit", "append-only file fails")]),
        ({"archive_status": "failing"}, [("crit", "WAL archiving fails")]),
        ({"link": "down"}, [("crit", "link to primary down")]),
        ({"replica_lag_s": 29.0}, []),
        ({"replica_lag_s": 40.0}, [("warn", "replica lag 40 s")]),
        ({"replica_lag_s": 301.0}, [("crit", "replica lag 5 min 1 s")]),
        ({"waiting_count": 3, "longest_wait_s": 240.0}, [("warn", "a lock held 4 min")]),
        ({"waiting_count": 3, "longest_wait_s": 600.0}, [("crit", "a lock held 10 min")]),
        ({"waiting_count": 3, "longest_wait_s": 2.0}, []),
        ({"waiting_count": 3, "longest_wait_s": None}, []),
        ({"clients_count": 95, "clients_max_count": 100}, [("crit", "connections 95 %")]),
        ({"clients_count": 84, "clients_max_count": 100}, []),
        ({"longest_transaction_s": 900.0}, [("warn", "transaction open 15 min")]),
        ({"transaction_age_count": 1.6e9}, [("crit", "transaction ids 80 %")]),
        ({"transaction_age_count": 1.1e9}, [("warn", "transaction ids 55 %")]),
        ({"loading": 1}, [("warn", "loading its data")]),
        ({"latency_s": 0.3}, [("warn", "answers in 300 ms")]),
        (
            {"replica_lag_s": 40.0, "save_status": "err"},
            [("crit", "last save failed"), ("warn", "replica lag 40 s")],
        ),
    ],
)
def test_figures_lead_to_shape_and_words(figures: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert [(f.signal, f.reason) for f in findings(figures)] == expected


def test_a_disk_is_judged_only_by_the_figure_given_at_registration() -> None:
    assert findings({"size_bytes": 550e9}) == []
    (found,) = findings({"size_bytes": 550e9}, disk_bytes=600_000_000_000)
    assert (found.signal, found.reason) == ("warn", "disk 92 %")


def engine_errors() -> list[type[errors.EngineError]]:
    return [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.EngineError)]


@pytest.mark.parametrize("error", engine_errors(), ids=lambda e: e.__name__)
def test_every_error_of_the_engine_has_a_shape(error: type[errors.EngineError]) -> None:
    assert failure(error.kind).signal == ("down" if issubclass(error, errors.Unreachable) else "crit")


def test_every_shape_is_known() -> None:
    assert {found.signal for found in FAILURES.values()} <= set(SIGNALS)


def test_a_silent_sampler_is_noticed_after_six_rounds_and_at_least_a_minute() -> None:
    assert not is_stale(NOW - timedelta(seconds=59), now=NOW, every_s=10)
    assert is_stale(NOW - timedelta(seconds=61), now=NOW, every_s=10)
    assert not is_stale(NOW - timedelta(seconds=350), now=NOW, every_s=60)

"""Counters become rates, and a server that began anew never has a negative one."""

from __future__ import annotations

import pytest

from apps.engine.contracts.probe import Probe, Value
from apps.engine.target import Kind
from apps.history.rates import LONGEST_GAP_S, derived

PROBE = Probe(
    key="test",
    kind=Kind.REDIS,
    read=lambda target: {},
    cost="none",
    identity="run",
    rates={"ops_per_s": "commands_total"},
    shares={"hit_ratio": ("hits_total", "misses_total")},
)


def counters(run: str = "a", commands: Value = 1000, hits: Value = 90, misses: Value = 10) -> dict[str, Value]:
    return {"run": run, "commands_total": commands, "hits_total": hits, "misses_total": misses}


def test_growth_over_time_is_the_rate_and_the_share_is_of_what_grew() -> None:
    now = counters(commands=1500, hits=165, misses=35)
    assert derived(PROBE, now, counters(), elapsed_s=10) == {"ops_per_s": 50.0, "hit_ratio": 0.75}


@pytest.mark.parametrize(
    ("now", "before", "elapsed_s"),
    [
        pytest.param(
            counters(run="b", commands=5000), counters(run="a"), 10, id="restarted, though the counter is higher"
        ),
        pytest.param(counters(commands=3), counters(commands=1000), 10, id="statistics were reset"),
        pytest.param(counters(), {}, 10, id="first sample"),
        pytest.param(counters(commands=1500), counters(), LONGEST_GAP_S + 1, id="last sample long ago"),
        pytest.param(counters(commands=1500), counters(), -3, id="the clock was set back"),
        pytest.param(counters(commands=None), counters(), 10, id="the server does not say"),
    ],
)
def test_what_cannot_be_compared_has_no_rate(now: dict[str, Value], before: dict[str, Value], elapsed_s: float) -> None:
    assert derived(PROBE, now, before, elapsed_s=elapsed_s)["ops_per_s"] is None


def test_a_share_without_any_reads_is_not_known_rather_than_zero() -> None:
    assert derived(PROBE, counters(commands=1001), counters(), elapsed_s=1) == {"ops_per_s": 1.0, "hit_ratio": None}

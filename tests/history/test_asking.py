"""A look at a server: the essential first, the others within a budget, a broken one alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from apps.engine.contracts.probe import Probe, Value
from apps.engine.errors import EngineError, TimedOut
from apps.engine.target import Address, Kind, Target
from apps.history import asking

TARGET = Target(id="1", name="orders-cache", kind=Kind.REDIS, addresses=(Address(host="10.0.0.1", port=6379),))


def probe(key: str, answer: Any, **fields: Any) -> Probe:
    """One that gives `answer`, raises it, or calls it."""

    def read(target: Target) -> Mapping[str, Value]:
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer  # type: ignore[no-any-return]

    return Probe(key=key, kind=Kind.REDIS, read=read, cost="none", **{"essential": False, **fields})


def looked(monkeypatch: pytest.MonkeyPatch, *probes: Probe, raw: Mapping[str, Any] | None = None) -> dict[str, Any]:
    monkeypatch.setattr(asking, "probes_of", lambda kind: probes)
    return dict(asking.ask(TARGET, {"": raw or {}})[""])


@pytest.mark.parametrize("fault", [TimedOut("too slow"), ZeroDivisionError("ours")])
def test_a_broken_probe_costs_its_own_figures_only(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    seen = looked(
        monkeypatch, probe("main", {"a": 1.0}, essential=True), probe("broken", fault), probe("fine", {"b": 2.0})
    )
    assert seen["main"]["figures"] == {"a": 1.0}
    assert seen["fine"]["figures"] == {"b": 2.0}
    assert seen["broken"]["error"] and seen["broken"]["figures"] == {}


def test_without_the_essential_answer_the_server_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError):
        looked(monkeypatch, probe("fine", {"b": 2.0}), probe("main", TimedOut("no answer"), essential=True))


def test_a_broken_probe_is_left_alone_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def breaks() -> Mapping[str, Value]:
        asked.append(time.monotonic())
        raise TimedOut("too slow")

    raw: dict[str, Any] = {}
    for _ in range(3):
        raw = looked(monkeypatch, probe("broken", breaks), raw=raw)
    assert len(asked) == 1
    raw["broken"]["up_s"] -= 61
    looked(monkeypatch, probe("broken", breaks), raw=raw)
    assert len(asked) == 2


def test_what_does_not_fit_into_the_budget_keeps_its_answer_and_comes_first_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "BUDGET_S", 0.05)

    def slow() -> Mapping[str, Value]:
        time.sleep(0.06)
        return {"slow": 1.0}

    probes = (probe("slow", slow), probe("late", {"late": 1.0}))
    first = looked(monkeypatch, *probes)
    assert set(first) == {"slow"}
    second = looked(monkeypatch, *probes, raw=first)
    assert set(second) == {"slow", "late"}


def test_a_node_that_does_not_answer_costs_its_own_figures_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers_first(target: Target) -> Mapping[str, Value]:
        if target.address.host == "10.0.0.2":
            raise TimedOut("no answer")
        return {"a": 1.0}

    main = replace(probe("main", {}, essential=True, per_node=True), read=answers_first)
    monkeypatch.setattr(asking, "probes_of", lambda kind: (main,))
    both = replace(TARGET, addresses=(*TARGET.addresses, Address(host="10.0.0.2", port=6379)))
    seen = asking.ask(both, {})
    assert seen[""]["main"]["figures"] == {"a": 1.0}
    assert seen["10.0.0.2:6379"]["failed"]["kind"] == "timeout"

"""Counters of two samples as rates. A server that began anew in between has no rate, never a negative one."""

from __future__ import annotations

from collections.abc import Mapping

from apps.engine.contracts.probe import Probe, Value

LONGEST_GAP_S = 300.0


def derived(
    probe: Probe, now: Mapping[str, Value], before: Mapping[str, Value], *, elapsed_s: float
) -> dict[str, float | None]:
    """The rates and shares of a probe between two samples; None where they cannot be told.

    They cannot after a restart, after the statistics were reset, on the first sample, or when the last one is long ago.
    """
    comparable = 0 < elapsed_s <= LONGEST_GAP_S and _same_run(probe, now, before)
    grown = {name: _growth(now.get(name), before.get(name)) if comparable else None for name in probe.counters}
    rates = {figure: _per_second(grown[counter], elapsed_s) for figure, counter in probe.rates.items()}
    return {**rates, **{figure: _share(grown[part], grown[rest]) for figure, (part, rest) in probe.shares.items()}}


def _same_run(probe: Probe, now: Mapping[str, Value], before: Mapping[str, Value]) -> bool:
    return not probe.identity or now.get(probe.identity) == before.get(probe.identity)


def _growth(now: Value, before: Value) -> float | None:
    if not isinstance(now, int | float) or not isinstance(before, int | float) or now < before:
        return None
    return now - before


def _per_second(growth: float | None, elapsed_s: float) -> float | None:
    return None if growth is None else growth / elapsed_s


def _share(part: float | None, rest: float | None) -> float | None:
    if part is None or rest is None or part + rest == 0:
        return None
    return part / (part + rest)

"""Counters of two samples as rates. A server that began anew in between has no rate, never a negative one."""

from __future__ import annotations

from collections.abc import Mapping

from apps.engine.contracts.probe import Probe, Value, bare

LONGEST_GAP_S = 300.0


def derived(
    probe: Probe, now: Mapping[str, Value], before: Mapping[str, Value], *, elapsed_s: float
) -> dict[str, float | None]:
    """The rates and shares of a probe between two samples; None where they cannot be told.

    They cannot after a restart, after the statistics were reset, on the first sample, or when the last one is long ago.
    A reset shows as a changed identity, or as a counter that fell: then none of the others can be trusted either. What was not
    counted before (a command first used since) has no rate yet.
    """
    grown = _growths(probe, now, before) if 0 < elapsed_s <= _longest_gap_s(probe) else {}
    found: dict[str, float | None] = {}
    for figure, counter in probe.rates.items():
        for name, label in _labelled(counter, now):
            growth = grown.get(name)
            found[figure + label] = None if growth is None else growth / elapsed_s
    for figure, (part, rest) in probe.shares.items():
        for name, label in _labelled(part, now):
            found[figure + label] = _share(grown.get(name), grown.get(rest + label))
    return found


def _longest_gap_s(probe: Probe) -> float:
    """A probe that is asked rarely is far from its last answer by design."""
    return max(LONGEST_GAP_S, 3 * probe.every_s)


def _labelled(counter: str, now: Mapping[str, Value]) -> list[tuple[str, str]]:
    """The counters of this name: (calls_total[get], [get]), or the one without a label."""
    return [(name, name[len(counter) :]) for name in now if name == counter or name.startswith(f"{counter}[")]


def _growths(probe: Probe, now: Mapping[str, Value], before: Mapping[str, Value]) -> dict[str, float]:
    """How much each counter grew; nothing of any when they began anew."""
    if probe.identity and now.get(probe.identity) != before.get(probe.identity):
        return {}
    counters = probe.counters - {probe.identity}
    grown = {
        name: value - former
        for name, value in now.items()
        if bare(name) in counters
        and isinstance(value, int | float)
        and isinstance(former := before.get(name), int | float)
    }
    return {} if any(growth < 0 for growth in grown.values()) else grown


def _share(part: float | None, rest: float | None) -> float | None:
    if part is None or rest is None or part + rest == 0:
        return None
    return part / (part + rest)

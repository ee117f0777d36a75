"""One look at one server: every probe that is due, on every node it is for. Touches no database.

The essential probe is asked first: without its answer the server has failed. The others share a budget of time, those that waited
longest first; one that fails costs its own figures only, and is left alone for a minute.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import structlog

from apps.engine.contracts.probe import Probe, bare
from apps.engine.errors import EngineError
from apps.engine.target import Target
from apps.history.catalogue import probes_of
from apps.history.noticing import FAILED
from apps.history.rates import derived

log = structlog.get_logger(__name__)
BUDGET_S = 2.0  # of a node's time: after it no further probe is begun
EARLY_S = 1.0  # a probe may be asked so much before its time: passes are not exactly apart
REST_S = 60.0  # of a probe that failed
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()

Raw = Mapping[str, Any]


def ask(target: Target, raw: Raw) -> dict[str, Any]:
    """What every probe of this kind of server sees now; the last answer of those that are not due.

    Shape: by node ("" for the first), by probe: `at_s`, `figures`, `counters`, `took_s`, or `error`. Cost: that of the probes.
    Errors: that of the first node's essential probe.
    """
    first, *others = target.addresses
    found = {"": _asked_all(target.at(first), raw.get("", {}), probes_of(target.kind))}
    per_node = [probe for probe in probes_of(target.kind) if probe.per_node]
    for address in others:
        try:
            found[str(address)] = _asked_all(target.at(address), raw.get(str(address), {}), per_node)
        except EngineError as error:  # it costs its own figures only
            found[str(address)] = {FAILED: {**_nothing(error.message), "kind": error.kind}}
    return found


def _asked_all(target: Target, raw: Raw, asked: Iterable[Probe]) -> dict[str, Raw]:
    """By probe. One that came too late for the budget keeps its last answer, and comes earlier the next time."""
    ends_at = time.monotonic() + BUDGET_S
    found: dict[str, Raw] = {}
    for probe in sorted(asked, key=lambda p: (not p.essential, raw.get(p.key, {}).get("at_s", 0.0))):
        before = raw.get(probe.key, {})
        if probe.essential or (time.monotonic() < ends_at and _is_due(probe, before)):
            found[probe.key] = _asked(probe, target, before)
        elif before:
            found[probe.key] = before
    return found


def _is_due(probe: Probe, before: Raw) -> bool:
    every_s = max(probe.every_s, REST_S) if before.get("error") else probe.every_s
    return not every_s or not 0 <= _since_s(before) < every_s - EARLY_S


def _since_s(before: Raw) -> float:
    """Seconds since that answer, by a clock that nobody sets where there is one."""
    now_s, then_s = (_up_s(), before["up_s"]) if before.get("boot") == BOOT else (time.time(), before.get("at_s", 0.0))
    return float(now_s - then_s)


def _asked(probe: Probe, target: Target, before: Raw) -> Raw:
    """What one probe sees now. A fault of ours in one that is not essential is logged, and taken for a failure of that probe."""
    elapsed_s, moment = _since_s(before), _moment()
    try:
        seen = probe.read(target)
    except EngineError as error:
        if probe.essential:
            raise
        return _nothing(error.message)
    except Exception:
        if probe.essential:
            raise
        log.exception("probe failed", server=target.name, probe=probe.key)
        return _nothing("The console could not make sense of the answer.")
    kept = probe.counters
    rates = derived(probe, seen, before.get("counters", {}), elapsed_s=elapsed_s)
    return {
        **moment,
        "took_s": round(_up_s() - moment["up_s"], 6),
        "figures": {n: v for n, v in {**seen, **rates}.items() if bare(n) not in kept and v is not None},
        "counters": {name: value for name, value in seen.items() if bare(name) in kept},
    }


def _nothing(why: str) -> Raw:
    return {**_moment(), "figures": {}, "counters": {}, "error": why[:400]}


def _moment() -> dict[str, Any]:
    """`at_s` is the console's clock, `up_s` one that is never set."""
    return {"at_s": time.time(), "up_s": _up_s(), "boot": BOOT}


def _up_s() -> float:
    """Seconds, the same for all processes until the machine is started again."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)

"""The probes the console knows, by key: a file in `apps/history/probes/` or in a capability's `probes/` is all it takes."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from functools import cache

from django.apps import apps

from apps.engine.contracts.probe import Probe
from apps.engine.registry import members
from apps.engine.target import Kind


@cache
def probes() -> Mapping[str, Probe]:
    """Errors: TypeError or ValueError for a broken or doubled one, which stop the start."""
    found: dict[str, Probe] = {}
    for config in apps.get_app_configs():
        package = f"{config.name}.probes"
        if not config.name.startswith("apps.") or not importlib.util.find_spec(package):
            continue
        for key, probe in members(importlib.import_module(package), Probe, name="PROBE").items():
            if key in found:
                raise ValueError(f"the key {key} is taken twice, the second time in {package}")
            found[key] = probe
    return found


@cache
def configurations() -> tuple[str, ...]:
    """The keys of the probes whose figures are settings: compared, not charted."""
    return tuple(key for key, probe in probes().items() if probe.configuration)


@cache
def probes_of(kind: Kind) -> tuple[Probe, ...]:
    """The probes of a kind of server, the essential first: without their answer the others are not asked."""
    return tuple(sorted((p for p in probes().values() if p.kind is kind), key=lambda p: not p.essential))

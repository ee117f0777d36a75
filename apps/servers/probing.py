"""Probes the rights of registered servers and keeps what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from apps.engine.errors import EngineError, Unreachable
from apps.engine.target import Profile, Target
from apps.servers.models import Server, stored_capabilities
from apps.servers.reads import probe

AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of probing one server: its error is the first one, if any; what else was found is kept all the same."""

    server: Server
    error: EngineError | None


def probe_server(server: Server) -> Outcome:
    """Probe every profile, and store it. A profile that fails keeps what was known of it."""
    return probe_servers([server])[0]


def probe_servers(servers: Iterable[Server]) -> list[Outcome]:
    """All at once, a few at a time: a server that hangs does not hold up the others. Writes come after, from this thread."""
    prepared = [(server, *_targets(server)) for server in servers]
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="probe") as pool:
        answers = list(pool.map(lambda each: _asked(each[1]), prepared))
    outcomes = []
    for (server, _, unusable), (found, error) in zip(prepared, answers, strict=True):
        if found:
            stored_capabilities(server, found, timezone.now())
        outcomes.append(Outcome(server=server, error=unusable or error))
    return outcomes


def _targets(server: Server) -> tuple[list[Target], EngineError | None]:
    """One target a profile; where it has no account of its own, monitor's is asked what it may do in its stead."""
    targets: list[Target] = []
    problem: EngineError | None = None
    for profile in Profile:
        try:
            targets.append(server.target(profile))
        except EngineError as error:
            problem = problem or error
    return targets, problem


def _asked(targets: list[Target]) -> tuple[Mapping[str, Mapping[str, Any]], EngineError | None]:
    """No database in here: this runs in a thread."""
    found: dict[str, Mapping[str, Any]] = {}
    problem: EngineError | None = None
    for target in targets:
        try:
            found[target.profile] = probe(target).stored()
        except EngineError as error:
            problem = problem or error
            if isinstance(error, Unreachable):  # no account gets further: do not wait four times
                break
    return found, problem

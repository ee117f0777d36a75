"""One pass over all servers that are due: claim, ask all of them at once, write down each answer as it comes.

A server is claimed by a conditional UPDATE, so that two samplers never ask the same one. Each is asked in a thread of its
own that touches no database; what has not answered at the deadline is written down as timed out, and is not asked again by
this process before its thread has come back. So neither a dead nor a hanging server delays another one.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.engine.contracts.probe import Probe
from apps.engine.errors import EngineError, TimedOut
from apps.engine.registry import members
from apps.engine.target import Target
from apps.history import probes
from apps.history.models import LastKnown
from apps.history.rates import derived
from apps.servers.models import Server

log = structlog.get_logger(__name__)
PROBES = members(probes, Probe, name="PROBE")
DEADLINE_S = 8.0
MOST_AT_ONCE = 64

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A server this pass has to itself, what is left of its last sample, and the moment of the claim."""

    server: Server
    raw: Raw
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one claim: `raw` by probe (when it was asked, figures, counters), or the error."""

    claim: Claim
    raw: Raw
    error: EngineError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """How a pass went, for the log and for the person who started it by hand."""

    asked_count: int
    failed: tuple[str, ...]
    took_s: float


_asking: set[str] = set()
_asking_lock = threading.Lock()


def sample_due(*, deadline_s: float = DEADLINE_S, every_s: float | None = None) -> Pass:
    """Sample every server that is due. Cost: at most `deadline_s`, a thread and one short UPDATE or two a server."""
    begun = time.monotonic()
    claims = claim(every_s=settings.SAMPLE_EVERY_S if every_s is None else every_s)
    failed = []
    for answer in answers(claims, deadline_s=deadline_s):
        write(answer)
        if answer.error is not None:
            failed.append(answer.claim.server.key)
    return Pass(asked_count=len(claims), failed=tuple(sorted(failed)), took_s=time.monotonic() - begun)


def claim(*, every_s: float) -> list[Claim]:
    """The servers that were not tried for `every_s`, longest ago first; each belongs to this pass once its UPDATE took a row."""
    now = timezone.now()
    due = Q(tried_at=None) | Q(tried_at__lte=now - timedelta(seconds=every_s * 0.8))
    new = Server.objects.filter(last_known=None)
    LastKnown.objects.bulk_create([LastKnown(server=server) for server in new], ignore_conflicts=True)
    rows = LastKnown.objects.filter(due).select_related("server").prefetch_related("server__credentials")
    return [
        Claim(server=row.server, raw=row.raw, at=now)
        for row in rows.order_by(F("tried_at").asc(nulls_first=True))[:MOST_AT_ONCE]
        if LastKnown.objects.filter(due, pk=row.pk).update(tried_at=now)
    ]


def answers(claims: list[Claim], *, deadline_s: float) -> Iterator[Answer]:
    """Ask every server in a thread of its own; answers in the order they come, late ones as timed out at the deadline."""
    came: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    ends_at = time.monotonic() + deadline_s
    waiting = {one.server.key: one for one in claims}
    for one in claims:
        _start(one, came)
    while waiting:
        try:
            answer = came.get(timeout=max(0.0, ends_at - time.monotonic()))
        except queue.Empty:
            break
        waiting.pop(answer.claim.server.key, None)
        yield answer
    for one in waiting.values():
        yield Answer(claim=one, raw={}, error=TimedOut(f"{one.server.key} did not answer within {deadline_s:g} s."))


def _start(one: Claim, came: queue.SimpleQueue[Answer]) -> None:
    """Opens the secret here (it needs the database) and asks there. A server whose last thread still hangs is left alone."""
    try:
        target = one.server.target()
    except EngineError as error:
        came.put(Answer(claim=one, raw={}, error=error))
        return
    if not _mark_asking(one.server.key):
        came.put(Answer(claim=one, raw={}, error=TimedOut(f"{one.server.key} has not answered the last question yet.")))
        return
    threading.Thread(target=_ask, args=(one, target, came), daemon=True, name=f"sample {one.server.key}").start()


def _mark_asking(key: str) -> bool:
    with _asking_lock:
        free = key not in _asking
        _asking.add(key)
    return free


def _ask(one: Claim, target: Target, came: queue.SimpleQueue[Answer]) -> None:
    try:
        came.put(Answer(claim=one, raw=ask(target, one.raw), error=None))
    except EngineError as error:
        came.put(Answer(claim=one, raw={}, error=error))
    except Exception:
        # a fault of ours must not look like a server that is down for want of an answer
        log.exception("probe failed", server=one.server.key)
        came.put(Answer(claim=one, raw={}, error=EngineError("The console could not make sense of the answer.")))
    finally:
        with _asking_lock:
            _asking.discard(one.server.key)


def ask(target: Target, raw: Raw) -> dict[str, Any]:
    """Every probe of this kind of server that is due; the last answer of those that are not. Touches no database."""
    return {
        probe.key: _asked(probe, target, raw.get(probe.key, {}))
        for probe in sorted(PROBES.values(), key=lambda p: not p.essential)
        if probe.kind is target.kind
    }


def _asked(probe: Probe, target: Target, before: Raw) -> Raw:
    now_s = time.time()
    elapsed_s = now_s - before.get("at_s", 0.0)
    if probe.every_s and 0 <= elapsed_s < probe.every_s:
        return before
    try:
        seen = probe.read(target)
    except EngineError as error:
        if probe.essential:
            raise
        return {"at_s": now_s, "figures": {}, "counters": {}, "error": error.message[:400]}
    kept = probe.counters
    rates = derived(probe, seen, before.get("counters", {}), elapsed_s=elapsed_s)
    return {
        "at_s": now_s,
        "figures": {name: value for name, value in {**seen, **rates}.items() if name not in kept and value is not None},
        "counters": {name: seen.get(name) for name in kept},
    }


def write(answer: Answer) -> None:
    """One short UPDATE, and only while the claim still stands: a later pass is never overwritten by an earlier one."""
    row = LastKnown.objects.filter(server=answer.claim.server, tried_at=answer.claim.at)
    now = timezone.now()
    if answer.error is not None:
        row.update(
            failing_since=Coalesce("failing_since", now),
            failed_count=F("failed_count") + 1,
            error_kind=answer.error.kind,
            error_text=answer.error.message[:400],
        )
        return
    figures = {name: value for part in answer.raw.values() for name, value in part["figures"].items()}
    up_s = figures.pop("up_s", None)
    row.update(
        figures=figures,
        figures_at=now,
        raw=answer.raw,
        failing_since=None,
        failed_count=0,
        error_kind="",
        error_text="",
        since=None if up_s is None else now - timedelta(seconds=up_s),
    )

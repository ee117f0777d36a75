"""One pass over all servers that are due: claim, ask all of them, write down the answers as they come.

Servers are claimed by a conditional UPDATE, so that two samplers never ask the same one. Each is asked in a thread of its
own that touches no database; what has not answered at the deadline is written down as timed out, and is not asked again by
this process before its thread has come back. So neither a dead nor a hanging server delays another one. The threads begin one
after the other over the first part of a pass: many at once would wait for each other and be taken for slow servers.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.engine.contracts.probe import Value, bare
from apps.engine.errors import EngineError, TimedOut
from apps.engine.target import Target
from apps.history import store
from apps.history.asking import EARLY_S, Raw, ask
from apps.history.catalogue import configurations
from apps.history.models import LastKnown
from apps.history.timeline import Sight, after_sample
from apps.servers.models import Server

log = structlog.get_logger(__name__)
DEADLINE_S = 8.0
MOST_AT_ONCE = 512
APART_S = 0.02  # between the begins of two servers, less where they would not all fit into a quarter of the deadline
TOGETHER = 50  # answers whose samples are written by one INSERT

TOO_LATE = timedelta(seconds=30)  # a try so far ahead of now is from before the clock was set back


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A server this pass has to itself, what is left of its last sample, how the last try went, and the moment of the claim."""

    server: Server
    raw: Raw
    at: datetime
    tried_at: datetime | None = None
    error_kind: str = ""


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
    """Sample every server that is due.

    Cost: at most `deadline_s`; a thread and one short UPDATE a server, one INSERT for 50. A pass that is killed loses what it had
    not written yet, at most one sample a server: the next pass finds them due again.
    """
    begun = time.monotonic()
    claims = claim(every_s=settings.SAMPLE_EVERY_S if every_s is None else every_s)
    failed: list[str] = []
    seen: list[store.Seen] = []
    for count, answer in enumerate(answers(claims, deadline_s=deadline_s), start=1):
        if write(answer):
            seen += _samples(answer)
        if answer.error is not None:
            failed.append(answer.claim.server.key)
        if count % TOGETHER == 0:
            store.keep(seen)
            seen = []
    store.keep(seen)
    return Pass(asked_count=len(claims), failed=tuple(sorted(failed)), took_s=time.monotonic() - begun)


def claim(*, every_s: float) -> list[Claim]:
    """The servers that were not tried for `every_s`, longest ago first. Each belongs to the pass whose moment it then carries."""
    now = timezone.now()
    due = Q(tried_at=None) | Q(tried_at__lte=now - timedelta(seconds=every_s * 0.8)) | Q(tried_at__gt=now + TOO_LATE)
    new = Server.objects.filter(last_known=None)
    LastKnown.objects.bulk_create([LastKnown(server=server) for server in new], ignore_conflicts=True)
    wanted = LastKnown.objects.filter(due).order_by(F("tried_at").asc(nulls_first=True))
    pks = dict(wanted.values_list("pk", "tried_at")[:MOST_AT_ONCE])
    while pks and LastKnown.objects.filter(tried_at=now).exists():  # another pass had the very same moment
        now += timedelta(microseconds=1)
    LastKnown.objects.filter(due, pk__in=pks).update(tried_at=now)
    rows = LastKnown.objects.filter(pk__in=pks, tried_at=now)
    mine = rows.select_related("server").prefetch_related("server__credentials")
    return [
        Claim(server=row.server, raw=row.raw, at=now, tried_at=pks[row.pk], error_kind=row.error_kind) for row in mine
    ]


def answers(claims: list[Claim], *, deadline_s: float) -> Iterator[Answer]:
    """Ask every server in a thread of its own; answers in the order they come, late ones as timed out at the deadline."""
    came: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    begun = time.monotonic()
    apart_s = min(APART_S, deadline_s / 4 / max(len(claims), 1))
    waiting = {one.server.key: one for one in claims}
    to_start = list(reversed(claims))
    while waiting:
        next_s = begun + apart_s * (len(claims) - len(to_start)) if to_start else begun + deadline_s
        try:
            answer = came.get(timeout=max(0.0, next_s - time.monotonic()))
        except queue.Empty:
            if not to_start:
                break
            _start(to_start.pop(), came)
            continue
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


def write(answer: Answer) -> bool:
    """One short UPDATE, and only while the claim still stands: a later pass is never overwritten by an earlier one.

    What it tells of besides, a restart or a changed setting, is noted in the same transaction.
    """
    one = answer.claim
    before = Sight(at=one.tried_at or one.at, raw=one.raw, error_kind=one.error_kind)
    now = Sight(at=one.at, raw=answer.raw, error_kind=answer.error.kind if answer.error else "")
    with transaction.atomic():
        if not _written(answer):
            return False
        after_sample(one.server, before=before, now=now)
    return True


def _written(answer: Answer) -> bool:
    row = LastKnown.objects.filter(server=answer.claim.server, tried_at=answer.claim.at)
    now = timezone.now()
    if answer.error is not None:
        return bool(
            row.update(
                failing_since=Coalesce("failing_since", now),
                failed_count=F("failed_count") + 1,
                error_kind=answer.error.kind,
                error_text=answer.error.message[:400],
            )
        )
    figures = _last_known(answer.raw[""])
    up_s = figures.pop("up_s", None)
    return bool(
        row.update(
            figures=figures,
            figures_at=now,
            raw=answer.raw,
            failing_since=None,
            failed_count=0,
            error_kind="",
            error_text="",
            since=None if not isinstance(up_s, int | float) else now - timedelta(seconds=up_s),
        )
    )


def _last_known(raw: Raw) -> dict[str, Value]:
    """The figures a page shows without a label: those with one are many, and are read where they are shown."""
    return {
        name: value
        for key, part in raw.items()
        for name, value in part["figures"].items()
        if name == bare(name) and key not in configurations()
    }


def _samples(answer: Answer) -> Iterator[store.Seen]:
    """What goes into history: what was asked in this pass, under one moment for all probes."""
    if answer.error is not None:
        return
    begun_s = answer.claim.at.timestamp()
    for node, raw in answer.raw.items():
        for key, part in raw.items():
            if part["at_s"] >= begun_s - EARLY_S and key not in configurations():
                yield store.Seen(
                    server=answer.claim.server, node=node, probe=key, at_s=int(begun_s), figures=part["figures"]
                )

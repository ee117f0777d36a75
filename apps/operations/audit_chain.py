"""Walks the audit's chain and says what is wrong with it, held against its anchors outside of the database."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import msgspec
import structlog
from django.db import transaction
from django.db.models import Max

from apps.operations.anchors import WrittenAnchor, read_anchors
from apps.operations.audit import BEGINNING, mac_of
from apps.operations.models import Anchor, AuditEntry, ChainCheck

SLICE = 1000
PROBLEMS_MOST = 100
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, at one number, in words."""

    seq: int
    words: str

    def __str__(self) -> str:
        return f"row {self.seq:,}: {self.words}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one walk found. `problems` are the first hundred."""

    rows_count: int
    first_seq: int | None
    last_seq: int | None
    anchors_count: int
    problems: tuple[Problem, ...]
    took_s: float

    @property
    def ok(self) -> bool:
        return not self.problems


def verify() -> Verdict:
    """Walk the whole chain, oldest first, and hold it against the anchors.

    Cost: about 40 µs a row (on a shared core), 1,000 rows a query; nothing is locked. Errors: those of the database.
    """
    begun = time.monotonic()
    remembered = _remembered()  # before the files, and these before the rows: what is added meanwhile is no fault
    anchors = list(read_anchors())
    walk = _Walk({anchor.seq for anchor in anchors})
    for entry in _entries():
        walk.step(entry)
    problems = [*walk.problems, *_forgotten(remembered, walk), *_anchor_problems(anchors, remembered, walk)]
    return Verdict(
        rows_count=walk.count,
        first_seq=walk.first,
        last_seq=walk.last or None,
        anchors_count=len(anchors),
        problems=tuple(problems[:PROBLEMS_MOST]),
        took_s=time.monotonic() - begun,
    )


def _entries() -> Iterator[AuditEntry]:
    at = 0
    while page := list(AuditEntry.objects.filter(seq__gt=at).order_by("seq")[:SLICE]):
        yield from page
        at = page[-1].seq


class _Walk:
    """Each row against the one before it. Keeps going after a fault, from what is stored, so that every fault is found."""

    def __init__(self, anchored: set[int]) -> None:
        self.count, self.last, self.mac = 0, 0, BEGINNING
        self.first: int | None = None
        self.problems: list[Problem] = []
        self.macs: dict[int, str] = {}
        self._anchored = anchored

    def step(self, entry: AuditEntry) -> None:
        self.first = entry.seq if self.first is None else self.first
        if entry.seq != self.last + 1:
            missing = f"{entry.seq - self.last - 1:,} rows before it are missing"
            self._found(entry.seq, missing)
        elif entry.previous != self.mac:
            self._found(entry.seq, "it does not follow from the row before it: one of them was put in, or moved")
        for words in _faults(entry):
            self._found(entry.seq, words)
        self.count, self.last, self.mac = self.count + 1, entry.seq, entry.mac
        if entry.seq in self._anchored:
            self.macs[entry.seq] = entry.mac

    def _found(self, seq: int, words: str) -> None:
        if len(self.problems) < PROBLEMS_MOST:
            self.problems.append(Problem(seq=seq, words=words))


def _faults(entry: AuditEntry) -> Iterator[str]:
    try:
        right = mac_of(entry.previous, entry.payload, key_id=entry.key_id)
    except KeyError:
        yield f"its key {entry.key_id} is not among the console's"
        return
    if not hmac.compare_digest(right, entry.mac):
        yield "it was changed after it was written"
    yield from _unlike(entry)


# Column and the name that the payload gives it.
REPEATED = {
    "seq": "seq",
    "phase": "phase",
    "actor": "actor",
    "action": "action",
    "server_key": "server",
    "environment": "environment",
    "run_number": "run",
    "result": "result",
}


def _unlike(entry: AuditEntry) -> Iterator[str]:
    """The columns that filters use, against what was hashed."""
    try:
        told: dict[str, Any] = msgspec.json.decode(entry.payload)
    except msgspec.DecodeError:
        yield "its text cannot be read"
        return
    wrong = [column for column, name in REPEATED.items() if getattr(entry, column) != told.get(name)]
    if told.get("at") != entry.at.astimezone(UTC).isoformat():
        wrong.append("at")
    if wrong:
        yield f"its columns {', '.join(wrong)} say something else than what was written"


# -- what else knows the chain -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remembered:
    """The console's own notes: how far an earlier check came, and the newest anchor."""

    last_seq: int
    anchor: tuple[int, str] | None


def _remembered() -> _Remembered:
    last_seq = ChainCheck.objects.aggregate(seq=Max("last_seq"))["seq"] or 0
    return _Remembered(last_seq=last_seq, anchor=Anchor.objects.values_list("seq", "mac").first())


def _forgotten(remembered: _Remembered, walk: _Walk) -> Iterator[Problem]:
    """A tail that was cut off since the last anchor."""
    if remembered.last_seq > walk.last:
        yield Problem(seq=remembered.last_seq, words="an earlier check knows this row; the chain ends before it")


def _anchor_problems(anchors: list[WrittenAnchor], remembered: _Remembered, walk: _Walk) -> Iterator[Problem]:
    for anchor in anchors:
        if not anchor.is_ours:
            yield Problem(seq=anchor.seq, words="an anchor outside of the database was not written by this console")
        elif anchor.seq > walk.last:
            yield Problem(seq=anchor.seq, words=f"an anchor of {anchor.at} knows this row; the chain ends before it")
        elif walk.macs.get(anchor.seq) != anchor.mac:
            yield Problem(seq=anchor.seq, words=f"an anchor of {anchor.at} knows another row of this number")
    if remembered.anchor and remembered.anchor not in {(anchor.seq, anchor.mac) for anchor in anchors}:
        gone = "its anchor outside of the database is gone, or cannot be read"
        yield Problem(seq=remembered.anchor[0], words=gone)


def check() -> ChainCheck:
    """Verify and keep the verdict, for the page."""
    return keep(verify())


def keep(found: Verdict) -> ChainCheck:
    """The newest 200 verdicts are kept."""
    if not found.ok:
        log.critical("audit chain broken", problem=str(found.problems[0]), problems_count=len(found.problems))
    with transaction.atomic():
        ChainCheck.objects.filter(pk__in=list(ChainCheck.objects.values_list("pk", flat=True)[199:])).delete()
        return ChainCheck.objects.create(
            rows_count=found.rows_count,
            last_seq=found.last_seq,
            took_s=found.took_s,
            problem=str(found.problems[0])[:400] if found.problems else "",
        )

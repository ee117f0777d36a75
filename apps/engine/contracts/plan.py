"""What a plan, a check and an outcome say: frozen records that are stored as JSON and shown by one set of templates.

Our words are `str`, names from a server are `bytes`: a sentence is made of both, so that a hostile name never passes as ours.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A run of a sentence: our words, or bytes of the server that are shown as a name."""

    text: str = ""
    name: bytes | None = None


Sentence: TypeAlias = tuple[Piece, ...]


def say(*parts: str | bytes) -> Sentence:
    """say("by pattern ", b"cart:*", " in db 0")."""
    return tuple(Piece(name=part) if isinstance(part, bytes) else Piece(text=part) for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A figure and how well it is known. `unit` is a noun in the plural, "B" (memory), "B on disk", "s", or "" for none.

    Exact: `value` alone. Estimate: `value` within `low`..`high` (95 %). Range: `low` and `high` alone. At least: `low` alone.
    Unknown: none of them, and `why`.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    why: str = ""


def exactly(value: float, unit: str = "") -> Amount:
    return Amount(value=value, unit=unit)


def about(value: float, low: float, high: float, unit: str = "") -> Amount:
    return Amount(value=value, low=low, high=high, unit=unit)


def between(low: float, high: float, unit: str = "") -> Amount:
    return Amount(low=low, high=high, unit=unit)


def at_least(low: float, unit: str = "", why: str = "") -> Amount:
    return Amount(low=low, unit=unit, why=why)


def unknown(why: str, unit: str = "") -> Amount:
    return Amount(unit=unit, why=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One of the few large figures. `grave` colours what will be gone."""

    label: str
    amount: Amount
    note: Sentence = ()
    grave: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A line with a label: what the things are, what they are not, when the run stops itself. `signal` "" or "warn"."""

    label: str
    words: Sentence
    signal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One of: our text, a name of the server, a figure. Figures stand at the right."""

    text: str = ""
    name: bytes | None = None
    amount: Amount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A sample or a comparison: `said` says of how many it is drawn, and how."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What exactly would happen, counted, before anything does.

    `effect` is on the button that runs it ("Delete 91,884 keys"), `keep` on the way out ("Keep everything"). `commands` are
    exact, with secrets masked. `most_count` bounds what a run may touch; `observed` is the state it rests on, compared again
    before the run. `blocked` says why it cannot run at all.
    """

    effect: str
    of: Sentence = ()
    keep: str = "Change nothing"
    figures: tuple[Figure, ...] = ()
    facts: tuple[Fact, ...] = ()
    sample: Table | None = None
    commands: tuple[str, ...] = ()
    undo: Sentence = ()
    warnings: tuple[Sentence, ...] = ()
    takes: Amount | None = None
    most_count: int | None = None
    observed: Mapping[str, str] = field(default_factory=dict)
    blocked: Sentence = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing a plan rests on, as it was and as it is. `ok` is whether it is within the plan's tolerance."""

    label: str
    planned: str
    now: str
    ok: bool
    words: str = ""


class Ending(enum.StrEnum):
    """How a run ended. PARTIAL: some of it, and it says which. UNKNOWN: nobody can say any more what was done."""

    DONE = "done"
    PARTIAL = "partial"
    CANCELLED = "cancelled"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a run: planned against done, what was skipped and why, failures even when there are none."""

    ending: Ending
    said: Sentence
    figures: tuple[Figure, ...] = ()
    facts: tuple[Fact, ...] = ()
    table: Table | None = None

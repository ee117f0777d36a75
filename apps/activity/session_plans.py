"""What the plans of cancelling a statement and of ending a session have in common: whose it is, what it does, who waits behind it."""

from __future__ import annotations

from collections.abc import Sequence

from apps.activity.identity import SessionRef, moment_text
from apps.activity.reads.chosen import Chosen, Waiting
from apps.engine import sqltext
from apps.engine.contracts.plan import Cell, Check, Fact, Figure, Outcome, Sentence, Table, exactly, say
from apps.engine.units import duration_text

SHOWN_WAITING = 12
WAITING = "wait behind it"


def names(found: Chosen) -> Sentence:
    """Whose session it is. Applications name themselves: shown as a name, never as ours."""
    words: list[str | bytes] = [(found.account or "the server").encode()]
    if found.application:
        words += [", ", found.application.encode("utf-8", "surrogateescape")]
    if found.client:
        words.append(f" from {found.client}")
    if found.database:
        words += [", database ", found.database.encode()]
    return say(*words)


def statement(found: Chosen) -> Sentence:
    """Literals and comments masked: a plan is seen by whoever may see the run."""
    return say(sqltext.masked(found.text or "").encode("utf-8", "surrogateescape")) if found.text else say("none yet")


def for_s(seconds: float | None) -> str:
    return "an unknown time" if seconds is None else duration_text(seconds)


def waits_for(found: Chosen) -> tuple[Fact, ...]:
    if not found.runs or not found.wait_event:
        return ()
    return (Fact(label="It waits for", words=say(f"{found.wait_event_type}: {found.wait_event}")),)


def freed_figure(waiting: Sequence[Waiting]) -> Figure:
    freed = sum(each.is_freed for each in waiting)
    others = len(waiting) - freed
    note = f"{others} more wait for others besides" if others else "wait for nobody else" if freed else "nobody waits"
    return Figure(label="Sessions let go on", amount=exactly(freed), note=say(note))


def waiting_table(waiting: Sequence[Waiting]) -> Table | None:
    if not waiting:
        return None
    return Table(
        columns=("Process", "Whose", "Waits for", "Since"),
        rows=tuple(_waiting_row(each) for each in waiting[:SHOWN_WAITING]),
        said=f"{min(len(waiting), SHOWN_WAITING)} of {len(waiting)} sessions that wait behind it",
    )


def _waiting_row(each: Waiting) -> tuple[Cell, ...]:
    wait, since_s = each.wait, each.wait.wait_s
    lock = f"{wait.mode_words} on {wait.relation}" if wait.relation else wait.lock_type
    return (
        Cell(text=str(wait.pid)),
        Cell(name=_whose(each).encode("utf-8", "surrogateescape")),
        Cell(name=lock.encode()),
        Cell(text="not told before 14") if since_s is None else Cell(amount=exactly(since_s, "s")),
    )


def _whose(each: Waiting) -> str:
    """What it calls itself, or its account where it gave no name."""
    session = each.session
    return (session.application or session.account if session else None) or "unknown"


def observed(found: Chosen, ref: SessionRef, waiting: Sequence[Waiting]) -> dict[str, str]:
    """What a plan rests on. The transaction only counts where it would roll something back."""
    return {"session": ref.text, "written": written(found), WAITING: str(len(waiting))}


def written(found: Chosen) -> str:
    """The transaction with changes in it, by its beginning; "none" where nothing would be lost."""
    if not found.is_written or found.transaction_at is None:
        return "none"
    return moment_text(found.transaction_at)


def ended_check(ref: SessionRef, why: str) -> Check:
    return Check(label=f"The session {ref.pid}", planned="there", now="gone", ok=False, words=why)


def still_waiting(outcome: Outcome, planned: int, now: int) -> tuple[Figure, ...]:
    """How many of those behind it go on, where somebody waited."""
    if not planned:
        return outcome.figures
    gone_on = Figure(label="Let go on", amount=exactly(max(planned - now, 0)), note=say(f"of {planned} that waited"))
    return (*outcome.figures, gone_on)


def commands(function: str, ref: SessionRef, *conditions: str) -> tuple[str, ...]:
    """What is sent, with its parameters in their places: to be read."""
    first = f"WHERE backend_start = '{ref.begun_at}'"
    source = f"FROM pg_stat_get_activity({ref.pid})"
    return (f"SELECT {function}(pid)", source, first, *(f"  AND {each}" for each in conditions))

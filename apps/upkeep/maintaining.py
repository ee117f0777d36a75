"""What vacuum, analyze and rebuild have in common: the ground they plan on, the session they run in, and how they ended in words."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from apps.engine.connections.postgres import postgres_node, sql
from apps.engine.contracts.action import Action, Cancelled, NoUndo, Progress, Stopped, Tier
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Check, Ending, Fact, Figure, Outcome, Plan, Sentence, exactly, say
from apps.engine.errors import Busy, Gone
from apps.engine.target import Kind, Target
from apps.engine.text import plain
from apps.engine.units import duration_text
from apps.upkeep import relations
from apps.upkeep.relations import Holder, Leftover, Locker, OfRelation, Relation
from apps.upkeep.watching import Ended, NotBegun, own_session, watched

Params = TypeVar("Params", bound=OfRelation)
GENTLE, FULL = "gentle", "full"
LOCK_TIMEOUT_S = 3.0  # over deadlock_timeout, after which an autovacuum steps aside
NOTICED_AFTER = "2s"
LOST = "PostgreSQL 14 and newer ends the statement within seconds once nobody waits for it; 13 carries it to its end."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a plan rests on and tells."""

    relation: Relation
    version: int
    holders: Sequence[Holder]
    lockers: Sequence[Locker]
    leftovers: Sequence[Leftover]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A statement that ran, and what stands there after it; `after` is None where it is gone or not to be seen."""

    ended: Ended
    before: Relation
    after: Relation | None
    written_bytes: int | None


def pace(words: str) -> str:
    made: str = param("Pace", default=GENTLE, choices=((GENTLE, "gentle"), (FULL, "as fast as it goes")), help=words)
    return made


class Maintains(Action[Params]):
    """A statement on one relation that takes what it takes. `kinds` are those of pg_class.relkind that it is for.

    `lock_timeout_s` is for every lock that it waits for, None where ending there would leave something behind; then
    `begins_within_s` bounds the wait before it has made anything.
    """

    kind = Kind.POSTGRES
    icon = "tools"
    tier = Tier.T3
    permission = "upkeep.maintain"
    feature = "upkeep.maintain"
    undo = NoUndo("What was tidied up is not made untidy again: no row and no setting was changed.")
    deadline_s = 12 * 3600.0
    exclusive = True
    lost = LOST
    kinds: ClassVar[str] = "rm"
    lock_timeout_s: ClassVar[float | None] = LOCK_TIMEOUT_S
    begins_within_s: ClassVar[float | None] = None

    def allowed(self, found: Relation) -> bool:
        return found.may_vacuum

    def ground(self, target: Target, params: OfRelation) -> Ground:
        """Cost: four looks at the catalogue. Errors: Gone, Refused, Unsupported, NotPermitted with the missing grant."""
        with postgres_node(target, database=relations.text_of(params.database)) as node:
            found = relations.relation(node, params)
            relations.check_maintained(
                found, params, kinds=self.kinds, allowed=self.allowed(found), version=node.version
            )
            return Ground(
                relation=found,
                version=node.version,
                holders=relations.holders(node),
                lockers=relations.lockers(node, found.table_oid),
                leftovers=relations.leftovers(node, found.table_oid),
            )

    def checks(self, target: Target, params: Params, *, plan: Plan) -> Sequence[Check]:
        found, version = relations.look(target, params)
        relations.check_maintained(found, params, kinds=self.kinds, allowed=self.allowed(found), version=version)
        planned = plan.observed["oid"]
        return [
            Check(
                label="The relation of this name",
                planned=planned,
                now=str(found.oid),
                ok=str(found.oid) == planned,
                words="It was made anew since.",
            )
        ]

    def carried(
        self,
        target: Target,
        params: OfRelation,
        statement: sql.Composed,
        progress: Progress,
        *,
        settings: Sequence[sql.SQL],
    ) -> Carried:
        """Run it, and look at what stands there before and after. Errors: those of progress.check() before it began."""
        database = relations.text_of(params.database)
        before, version = relations.look(target, params)
        with progress.postgres(database=database, lock_timeout_s=self.lock_timeout_s) as node:
            began = own_session(node).written
            ended = watched(
                target, node, statement, database=database, progress=progress,
                settings=[*notices_a_death(version), *settings], begins_within_s=self.begins_within_s,
            )  # fmt: skip
            _told(progress, ended)
            written = None if ended.error else own_session(node).written - began
        after = None if ended.is_lost else looked_again(target, params)
        return Carried(ended=ended, before=before, after=after, written_bytes=written)


def _told(progress: Progress, ended: Ended) -> None:
    """All of it, or none: pages that were read are nothing that was done."""
    count = ended.total_count if ended.is_well else 0
    with suppress(Stopped):  # asked to stop just as it ended
        progress.step(count, total_count=ended.total_count)


def looked_again(target: Target, params: OfRelation) -> Relation | None:
    """What stands there now, None where that cannot be told."""
    try:
        return relations.look(target, params)[0]
    except (Gone, Busy):
        return None


def notices_a_death(version: int) -> list[sql.SQL]:
    """So that the server ends the statement when the console's worker is gone."""
    return [sql.SQL(f"SET client_connection_check_interval = '{NOTICED_AFTER}'")] if version >= 14 else []


def commands(version: int, settings: Sequence[sql.SQL], *statements: sql.Composed) -> tuple[str, ...]:
    """All that the session sends, word for word."""
    return tuple(relations.written(each) for each in (*notices_a_death(version), *settings, *statements))


def paced(pace: str) -> list[sql.SQL]:
    """Rests of a vacuum or analyze, as autovacuum has them: by hand there are none."""
    return [sql.SQL("SET vacuum_cost_delay = '2ms'")] if pace == GENTLE else []


# -- plan in words -----------------------------------------------------------------------------------------------------


def lock_fact() -> Fact:
    words = "reads and writes go on; no other vacuum, analyze, index build or ALTER of this table meanwhile"
    return Fact(label="Locks", words=say("SHARE UPDATE EXCLUSIVE: ", words))


def waits_fact(ground: Ground) -> Fact:
    """Who holds what it has to wait for."""
    if not ground.lockers:
        return Fact(
            label="Waits", words=say(f"for that lock at most {LOCK_TIMEOUT_S:.0f} s, then it ends; nobody holds it now")
        )
    held = "; ".join(f"{each.words}, {each.mode}" for each in ground.lockers)
    steps_aside = all(each.is_automatic for each in ground.lockers)
    words = " (an autovacuum steps aside)" if steps_aside else ": it would end undone"
    return Fact(label="Waits", words=say(f"held now by {held}{words}"), signal="" if steps_aside else "warn")


def holder_fact(ground: Ground, *, label: str, what: str, otherwise: str) -> Fact:
    """The oldest of who keeps old rows; told as a warning where that lasts."""
    long = [each for each in ground.holders if each.is_long]
    if not long:
        return Fact(label=label, words=say(otherwise))
    more = f", and {len(long) - 1} more" if len(long) > 1 else ""
    return Fact(label=label, words=say(f"{long[0].words}{more}: {what}"), signal="warn")


def death_fact(version: int) -> Fact:
    words = (
        f"the server ends the statement within {NOTICED_AFTER.removesuffix('s')} s"
        if version >= 14
        else "the server carries the statement to its end: this version does not notice"
    )
    return Fact(label="Console gone", words=say(words))


def relation_name(params: OfRelation) -> bytes:
    return params.shown


def effect_name(params: OfRelation) -> str:
    return plain(params.shown, most=60)


# -- outcome in words --------------------------------------------------------------------------------------------------


def ended_badly(ended: Ended, name: bytes, *, stays: str, ending: Ending) -> Outcome:
    """Words for a statement that did not come to its end. `ending` is for one that had begun, `stays` what is true then."""
    if ended.is_lost:
        return Outcome(ending=Ending.UNKNOWN, said=say(f"{_reason(ended)} Whether ", name, " was done is not known."))
    if ended.stopped is not None:
        how = Ending.FAILED if isinstance(ended.stopped, NotBegun) else ending
        how = Ending.CANCELLED if isinstance(ended.stopped, Cancelled) else how
        return Outcome(ending=how, said=say(f"{ended.stopped.message} ", name, f": {stays}"))
    return Outcome(
        ending=ending if ended.has_begun else Ending.FAILED, said=say(f"{_reason(ended)} ", name, f": {stays}")
    )


def _reason(ended: Ended) -> str:
    assert ended.error is not None
    if ended.was_cancelled_there:
        return "Somebody cancelled it on the server."
    if isinstance(ended.error, Busy) and ended.waited_for:
        pids = ", ".join(map(str, ended.waited_for[:3]))
        return f"It waited {LOCK_TIMEOUT_S:.0f} s for a lock that pid {pids} holds, and gave up. See Activity."
    if isinstance(ended.error, Busy):
        return f"{ended.error.message.rstrip('.')}. {ended.error.way_out}".strip()
    missing = getattr(ended.error, "missing", "")
    return f"{ended.error.message.rstrip('.')}.{f' It lacks {missing}.' if missing else ''}"


def warned(carried: Carried, name: bytes, *, allowed: bool) -> Outcome | None:
    """A statement that the server says it skipped, or did in part: success with a warning is none. None without a warning."""
    warnings = carried.ended.warnings
    if not warnings:
        return None
    skipped = not allowed or any("skipping" in each for each in warnings)
    said = plain(" ".join(warnings).encode("utf-8", "surrogateescape"), most=400)
    return Outcome(
        ending=Ending.FAILED if skipped else Ending.PARTIAL,
        said=say("The server passed over " if skipped else "The server warned about ", name, f": {said}"),
    )


def took_figure(carried: Carried) -> Figure:
    return Figure(label="Took", amount=exactly(carried.ended.took_s, "s"))


def written_figures(carried: Carried) -> tuple[Figure, ...]:
    if carried.written_bytes is None:
        return ()
    return (
        Figure(
            label="WAL meanwhile",
            amount=exactly(carried.written_bytes, "B on disk"),
            note=say("by everybody on the server"),
        ),
    )


def since_words(what: str, age_s: float | None) -> Sentence:
    return say(f"{what} {duration_text(age_s)} ago" if age_s is not None else f"{what} not since the statistics began")

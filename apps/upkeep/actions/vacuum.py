"""Vacuum one table: what its dead rows took can be used again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from apps.engine import units
from apps.engine.connections.postgres import sql
from apps.engine.contracts.action import Planning, Progress
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import (
    Amount,
    Ending,
    Fact,
    Figure,
    Outcome,
    Plan,
    Sentence,
    between,
    exactly,
    say,
    unknown,
)
from apps.engine.target import Target
from apps.upkeep import maintaining, relations
from apps.upkeep.maintaining import GENTLE, Carried, Ground, Maintains
from apps.upkeep.relations import OfRelation, Relation

# Bytes read a second: at 2 ms of rest for 200 units of cost (1 a cached page, 2 a read one, 20 a changed one), and without rests.
GENTLE_PER_S = (40e6, 400e6)
FULL_PER_S = (100e6, 1500e6)
COUNTED = "by the server's statistics, no bound is given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(OfRelation):
    analyze: bool = param("Analyze it too, so that plans know its rows", default=True)
    freeze: bool = param(
        "Freeze its rows", default=False, help="Reads every page and renews the age of its transaction ids."
    )
    pace: str = maintaining.pace("Gentle rests 2 ms as autovacuum does; by hand PostgreSQL does not rest.")


class Vacuum(Maintains[Params]):
    key = "upkeep.vacuum"
    title = "Vacuum a table"
    verb = "Vacuum"
    params = Params
    never = (
        "A live row, another table, VACUUM FULL: the table is never rewritten or locked against reading and writing."
    )

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one table. Units: bytes, rows as the statistics count them. Cost: four looks at catalogues.

        Errors: Gone, Unsupported for what holds no rows, NotPermitted with the grant. Source: pg_class, pg_stat_activity, pg_locks.
        """
        ground = self.ground(target, params)
        found = ground.relation
        return Plan(
            effect=f"Vacuum {maintaining.effect_name(params)}",
            of=say("the table ", params.shown, " of ", params.database),
            keep="Leave it",
            figures=_figures(found, params),
            facts=_facts(ground, params),
            commands=maintaining.commands(ground.version, maintaining.paced(params.pace), _statement(params)),
            warnings=_warnings(ground),
            takes=_takes(found, params),
            observed={"oid": str(found.oid)},
        )

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        done = self.carried(target, params, _statement(params), progress, settings=maintaining.paced(params.pace))
        if not done.ended.is_well:
            stays = "what was vacuumed until then stays so; nothing was damaged."
            return maintaining.ended_badly(done.ended, params.shown, stays=stays, ending=Ending.PARTIAL)
        outcome = maintaining.warned(done, params.shown, allowed=done.after is None or done.after.may_vacuum)
        return outcome or _outcome(done, params)


ACTION = Vacuum()


def _statement(params: Params) -> sql.Composed:
    options = [name for name, wanted in (("ANALYZE", params.analyze), ("FREEZE", params.freeze)) if wanted]
    words = sql.SQL(f"VACUUM ({', '.join(options)}) " if options else "VACUUM ")
    return words + relations.identifier(params)


def _figures(found: Relation, params: Params) -> tuple[Figure, ...]:
    return (
        Figure(
            label="Dead rows",
            amount=unknown("The statistics say nothing of it.")
            if found.dead_count is None
            else exactly(found.dead_count),
            note=say(COUNTED),
        ),
        Figure(
            label="Pages to read",
            amount=exactly(_pages(found, params)),
            note=say(f"of {found.pages_count:,}; the others hold nothing dead"),
        ),
        Figure(
            label="Indexes",
            amount=exactly(found.indexes_bytes, "B on disk"),
            note=say(f"{found.index_count} of them, read whole where rows are dead"),
        ),
        Figure(label="Takes", amount=_takes(found, params), note=say("from its size; not measured here")),
    )


def _pages(found: Relation, params: Params) -> int:
    return found.pages_count if params.freeze else max(0, found.pages_count - found.clean_pages_count)


def _takes(found: Relation, params: Params) -> Amount:
    size = _pages(found, params) * (found.size_bytes / max(found.pages_count, 1)) + found.indexes_bytes
    slow, fast = GENTLE_PER_S if params.pace == GENTLE else FULL_PER_S
    return between(max(size / fast, 0.01), max(size / slow, 1.0), "s")


def _facts(ground: Ground, params: Params) -> tuple[Fact, ...]:
    found = ground.relation
    return (
        maintaining.lock_fact(),
        maintaining.waits_fact(ground),
        maintaining.holder_fact(
            ground,
            label="Keeps dead rows",
            what="what died since it began stays",
            otherwise="no transaction is older than a minute",
        ),
        Fact(label="Last", words=_last(found)),
        Fact(
            label="Disk",
            words=say(
                "room is used again by this table; only empty pages at its very end go back, if nobody is in the way"
            ),
        ),
        Fact(
            label="Long values", words=say(f"{' '.join(units.disk(found.toast_bytes))} of TOAST are vacuumed with it")
        ),
        Fact(
            label="WAL",
            words=say(
                "at most about its pages once and its indexes: standbys and archives get it; how much is not known before"
            ),
        ),
        Fact(
            label="Stops by itself",
            words=say("after 12 h, when it is stopped by hand, or when the lock is not to be had"),
        ),
        maintaining.death_fact(ground.version),
    )


def _last(found: Relation) -> Sentence:
    now = datetime.now(UTC)
    vacuumed = (now - found.vacuumed_at).total_seconds() if found.vacuumed_at else None
    return maintaining.since_words("vacuumed", vacuumed)


def _warnings(ground: Ground) -> tuple[Sentence, ...]:
    if ground.relation.pages_count == 0:
        return (say("The table is empty: there is nothing to gain."),)
    return ()


def _outcome(done: Carried, params: Params) -> Outcome:
    after = done.after or done.before
    return Outcome(
        ending=Ending.DONE,
        said=say("Vacuumed ", params.shown, " and analyzed it." if params.analyze else "."),
        figures=(
            maintaining.took_figure(done),
            Figure(
                label="Size",
                amount=exactly(after.size_bytes, "B on disk"),
                note=say(f"was {' '.join(units.disk(done.before.size_bytes))}"),
            ),
            Figure(
                label="Dead rows",
                amount=exactly(after.dead_count or 0),
                note=say(f"was {done.before.dead_count or 0:,}, {COUNTED}"),
            ),
            *maintaining.written_figures(done),
        ),
        facts=(
            Fact(
                label="Pages that hold nothing dead", words=say(f"{after.clean_pages_count:,} of {after.pages_count:,}")
            ),
        ),
    )

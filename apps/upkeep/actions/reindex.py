"""Rebuild an index, or all indexes of a table, while reads and writes go on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from apps.engine import units
from apps.engine.connections.postgres import postgres_node, sql
from apps.engine.contracts.action import Fenced, NoUndo, Planning, Progress
from apps.engine.contracts.plan import (
    Amount,
    Cell,
    Ending,
    Fact,
    Figure,
    Outcome,
    Plan,
    Sentence,
    Table,
    between,
    exactly,
    say,
)
from apps.engine.errors import Unsupported
from apps.engine.target import Target
from apps.upkeep import leftovers, maintaining, relations
from apps.upkeep.leftovers import Cleaned
from apps.upkeep.maintaining import GENTLE, Carried, Ground, Maintains
from apps.upkeep.relations import OfRelation, Relation

BUILT_PER_S = (15e6, 200e6)  # bytes of index
ONE_PROCESS = "SET max_parallel_maintenance_workers = 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(OfRelation):
    pace: str = maintaining.pace("Gentle builds in one process; otherwise in as many as the server allows.")


class Reindex(Maintains[Params]):
    key = "upkeep.reindex"
    title = "Rebuild indexes"
    verb = "Rebuild"
    icon = "refresh"
    params = Params
    undo = NoUndo("The rebuilt index does the same as the former one, which is gone.")
    never = "A row, the definition of an index, an index of another table; never REINDEX without CONCURRENTLY."
    kinds = "rmi"
    lock_timeout_s = None
    begins_within_s = maintaining.LOCK_TIMEOUT_S

    def allowed(self, found: Relation) -> bool:
        return found.may_rebuild

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one index, or those of one table. Units: bytes. Cost: four looks at catalogues.

        Errors: Gone; Unsupported for catalogues and exclusion constraints; NotPermitted with the grant. Source: pg_class, pg_index.
        """
        ground = self.ground(target, params)
        found = ground.relation
        _check_concurrent(found, params)
        what = "the index " if found.is_index else "all indexes of "
        return Plan(
            effect=f"Rebuild {maintaining.effect_name(params)}",
            of=say(what, params.shown, " of ", params.database),
            keep="Leave it",
            figures=_figures(found),
            facts=_facts(ground),
            sample=_older(ground),
            commands=maintaining.commands(ground.version, _settings(params), _statement(found, params)),
            warnings=_warnings(ground),
            takes=_takes(found),
            observed={"oid": str(found.oid)},
        )

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        database = relations.text_of(params.database)
        with postgres_node(target, database=database) as node:
            found = relations.relation(node, params)
            stood = leftovers.marks(relations.leftovers(node, found.table_oid))
        done = self.carried(target, params, _statement(found, params), progress, settings=_settings(params))
        if isinstance(done.ended.stopped, Fenced):
            raise done.ended.stopped
        cleaned = leftovers.clean(
            target, database=database, table_oid=found.table_oid, stood_before=stood, progress=progress
        )
        outcome = _outcome(done, params)
        return replace(outcome, facts=(*outcome.facts, cleaned.fact), ending=_ending(outcome.ending, done, cleaned))


ACTION = Reindex()


def _statement(found: Relation, params: Params) -> sql.Composed:
    words = sql.SQL("REINDEX INDEX CONCURRENTLY " if found.is_index else "REINDEX TABLE CONCURRENTLY ")
    return words + relations.identifier(params)


def _settings(params: Params) -> list[sql.SQL]:
    return [sql.SQL(ONE_PROCESS)] if params.pace == GENTLE else []


def _check_concurrent(found: Relation, params: Params) -> None:
    """Errors: Unsupported for what PostgreSQL rebuilds only while it locks everybody out."""
    if params.schema in (b"pg_catalog", b"information_schema"):
        raise Unsupported("PostgreSQL rebuilds no catalogue while others use it.")
    if found.is_exclusion:
        raise Unsupported("PostgreSQL rebuilds no exclusion constraint while others use it.")


def _bytes(found: Relation) -> int:
    return found.size_bytes if found.is_index else found.indexes_bytes


def _figures(found: Relation) -> tuple[Figure, ...]:
    count = 1 if found.is_index else found.index_count
    return (
        Figure(label="Indexes rebuilt", amount=exactly(count)),
        Figure(label="Their size", amount=exactly(_bytes(found), "B on disk"), note=say("now")),
        Figure(
            label="Room needed",
            amount=exactly(_bytes(found), "B on disk"),
            note=say("at most about this, until the former ones go; how much is free is not known"),
        ),
        Figure(label="Takes", amount=_takes(found), note=say("from its size, and as long as it waits for others")),
    )


def _takes(found: Relation) -> Amount:
    slow, fast = BUILT_PER_S
    return between(max(_bytes(found) / fast, 0.01), max(_bytes(found) / slow, 1.0), "s")


def _facts(ground: Ground) -> tuple[Fact, ...]:
    facts = [
        maintaining.lock_fact(),
        maintaining.waits_fact(ground),
        maintaining.holder_fact(
            ground,
            label="Waits for transactions",
            what="it waits until that has ended, three times over; stop it if that takes too long",
            otherwise="none is older than a minute; it waits for every one that runs",
        ),
        Fact(label="WAL", words=say("about the size of the new index")),
        Fact(
            label="If it is stopped", words=say("what it has built is removed again, and the former index stays in use")
        ),
        maintaining.death_fact(ground.version),
        Fact(
            label="After that",
            words=say("an invalid index ends with _ccnew or _ccold: the next plan and the page of upkeep show it"),
        ),
    ]
    if ground.relation.definition:
        facts.insert(
            0, Fact(label="Definition", words=say(ground.relation.definition.encode("utf-8", "surrogateescape")))
        )
    return tuple(facts)


def _older(ground: Ground) -> Table | None:
    if not ground.leftovers:
        return None
    rows = tuple(
        (Cell(name=each.name.encode("utf-8", "surrogateescape")), Cell(amount=exactly(each.size_bytes, "B on disk")))
        for each in ground.leftovers[:10]
    )
    return Table(
        columns=("Left by an earlier rebuild", "Size"), rows=rows, said=f"{len(ground.leftovers)} of this table"
    )


def _warnings(ground: Ground) -> tuple[Sentence, ...]:
    found, said = ground.relation, []
    if ground.leftovers:
        said.append(say("An earlier rebuild of this table left invalid indexes. This one does not remove them."))
    if found.is_index and not found.is_valid:
        said.append(say("The index is invalid: no query uses it until it is rebuilt."))
    if not found.is_index and not found.index_count:
        said.append(say("The table has no index."))
    return tuple(said)


def _outcome(done: Carried, params: Params) -> Outcome:
    if not done.ended.is_well:
        stays = "the former index stays in use."
        return maintaining.ended_badly(done.ended, params.shown, stays=stays, ending=Ending.FAILED)
    outcome = maintaining.warned(done, params.shown, allowed=True)
    if outcome is not None:
        return replace(outcome, ending=Ending.PARTIAL)
    after = done.after or done.before
    return Outcome(
        ending=Ending.DONE,
        said=say("Rebuilt ", params.shown, "."),
        figures=(
            maintaining.took_figure(done),
            Figure(
                label="Size",
                amount=exactly(_bytes(after), "B on disk"),
                note=say(f"was {' '.join(units.disk(_bytes(done.before)))}"),
            ),
            *maintaining.written_figures(done),
        ),
    )


def _ending(ending: Ending, done: Carried, cleaned: Cleaned) -> Ending:
    """A failure that left something behind did something."""
    return Ending.PARTIAL if ending is Ending.FAILED and cleaned.left and done.ended.has_begun else ending

"""Analyze one table: its statistics are drawn anew, so that plans know its rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from apps.engine.connections.postgres import sql
from apps.engine.contracts.action import NoUndo, Planning, Progress, Tier
from apps.engine.contracts.plan import Ending, Fact, Figure, Outcome, Plan, exactly, say, unknown
from apps.engine.target import Target
from apps.upkeep import maintaining, relations
from apps.upkeep.maintaining import Ground, Maintains
from apps.upkeep.relations import OfRelation

SAMPLED_PAGES = 30_000  # 300 rows for each of 100 classes, at the server's own default


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(OfRelation):
    pace: str = maintaining.pace("Gentle rests 2 ms as autovacuum does; by hand PostgreSQL does not rest.")


class AnalyzeTable(Maintains[Params]):
    key = "upkeep.analyze_table"
    title = "Analyze a table"
    verb = "Analyze"
    icon = "chart-line"
    tier = Tier.T2
    permission = "upkeep.analyze"
    params = Params
    undo = NoUndo("Statistics are drawn from the rows as they are; the former ones are not kept.")
    never = "A row, an index, another table."
    deadline_s = 4 * 3600.0
    kinds = "rmp"

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one table. Units: rows as the statistics count them. Cost: four looks at catalogues.

        Errors: Gone, Unsupported, NotPermitted with the grant. Source: pg_class, pg_stat_activity, pg_locks.
        """
        ground = self.ground(target, params)
        found = ground.relation
        return Plan(
            effect=f"Analyze {maintaining.effect_name(params)}",
            of=say("the table ", params.shown, " of ", params.database),
            keep="Leave it",
            figures=(
                Figure(
                    label="Changed since the last",
                    amount=unknown("The statistics say nothing of it.")
                    if found.changed_count is None
                    else exactly(found.changed_count, "rows"),
                    note=say("as the server counts them"),
                ),
                Figure(
                    label="Pages read",
                    amount=exactly(min(found.pages_count, SAMPLED_PAGES)),
                    note=say("at most, at the server's default target; more where it is set higher"),
                ),
                Figure(label="Table", amount=exactly(found.size_bytes, "B on disk")),
            ),
            facts=_facts(ground),
            commands=maintaining.commands(ground.version, maintaining.paced(params.pace), _statement(params)),
            observed={"oid": str(found.oid)},
        )

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        done = self.carried(target, params, _statement(params), progress, settings=maintaining.paced(params.pace))
        if not done.ended.is_well:
            stays = "its former statistics stay."
            return maintaining.ended_badly(done.ended, params.shown, stays=stays, ending=Ending.FAILED)
        outcome = maintaining.warned(done, params.shown, allowed=done.after is None or done.after.may_vacuum)
        if outcome is not None:
            return outcome
        return Outcome(
            ending=Ending.DONE,
            said=say("Analyzed ", params.shown, "."),
            figures=(maintaining.took_figure(done), *maintaining.written_figures(done)),
            facts=(Fact(label="Plans", words=say("statements that are planned from now on use the new statistics")),),
        )


ACTION = AnalyzeTable()


def _statement(params: Params) -> sql.Composed:
    return sql.SQL("ANALYZE ") + relations.identifier(params)


def _facts(ground: Ground) -> tuple[Fact, ...]:
    found = ground.relation
    age_s = (datetime.now(UTC) - found.analyzed_at).total_seconds() if found.analyzed_at else None
    facts = [
        maintaining.lock_fact(),
        maintaining.waits_fact(ground),
        Fact(label="Last", words=maintaining.since_words("analyzed", age_s)),
        Fact(
            label="Plans may change", words=say("for better in most cases; statements of this table are planned anew")
        ),
        maintaining.death_fact(ground.version),
    ]
    if found.kind == "p":
        words = f"its {found.partition_count} partitions are analyzed as well, and the whole across them"
        facts.insert(0, Fact(label="Partitioned", words=say(words)))
    return tuple(facts)

"""Remove the invalid index that a concurrent rebuild left behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.engine.connections.postgres import sql
from apps.engine.contracts.action import NoUndo, Planning, Progress, Refused
from apps.engine.contracts.plan import Check, Ending, Fact, Figure, Outcome, Plan, exactly, say
from apps.engine.target import Target
from apps.upkeep import leftovers, maintaining, relations
from apps.upkeep.maintaining import Maintains
from apps.upkeep.relations import OfRelation, Relation


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(OfRelation):
    pass


class DropLeftover(Maintains[Params]):
    key = "upkeep.drop_leftover"
    title = "Remove what a rebuild left behind"
    verb = "Remove"
    icon = "trash"
    params = Params
    undo = NoUndo("An invalid index serves no query: it is made anew by rebuilding the index that it was a copy of.")
    never = "A valid index, one of another name than rebuilds give, a row."
    deadline_s = 3600.0
    kinds = "i"
    lock_timeout_s = None

    def allowed(self, found: Relation) -> bool:
        return found.may_drop

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one index. Units: bytes. Cost: four looks at catalogues.

        Errors: Refused for a valid index or another name; Gone; NotPermitted with the grant. Source: pg_class, pg_index.
        """
        ground = self.ground(target, params)
        found = ground.relation
        _check_leftover(found, params)
        built = any(each.oid == found.oid and each.is_being_built for each in ground.leftovers)
        return Plan(
            effect=f"Remove {maintaining.effect_name(params)}",
            of=say("the invalid index ", params.shown, " of ", params.database),
            keep="Leave it",
            figures=(Figure(label="Room given back", amount=exactly(found.size_bytes, "B on disk"), grave=True),),
            facts=(
                Fact(label="Definition", words=say((found.definition or "").encode("utf-8", "surrogateescape"))),
                maintaining.lock_fact(),
                maintaining.holder_fact(
                    ground,
                    label="Waits for transactions",
                    what="it waits until that has ended",
                    otherwise="none is older than a minute",
                ),
                Fact(label="If it is stopped", words=say("the index stays invalid, and can be removed again")),
                maintaining.death_fact(ground.version),
            ),
            commands=maintaining.commands(ground.version, [], _statement(params)),
            observed={"oid": str(found.oid), "valid": str(found.is_valid)},
            blocked=say("A rebuild of this table is at work: it may be its own.") if built else (),
        )

    def checks(self, target: Target, params: Params, *, plan: Plan) -> Sequence[Check]:
        found, _ = relations.look(target, params)
        valid = Check(label="Valid", planned="False", now=str(found.is_valid), ok=not found.is_valid)
        return [*super().checks(target, params, plan=plan), valid]

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        done = self.carried(target, params, _statement(params), progress, settings=[])
        if not done.ended.is_well:
            return maintaining.ended_badly(
                done.ended, params.shown, stays="the index is invalid still.", ending=Ending.FAILED
            )
        return Outcome(
            ending=Ending.DONE,
            said=say("Removed ", params.shown, "."),
            figures=(
                Figure(label="Given back", amount=exactly(done.before.size_bytes, "B on disk")),
                maintaining.took_figure(done),
            ),
        )


ACTION = DropLeftover()


def _statement(params: Params) -> sql.Composed:
    return leftovers.dropped(relations.text_of(params.schema), relations.text_of(params.name))


def _check_leftover(found: Relation, params: Params) -> None:
    if found.is_valid:
        raise Refused("This index is valid: only what a rebuild left behind is removed here.")
    if not leftovers.NAMED.search(relations.text_of(params.name)):
        raise Refused("No rebuild names an index like this.", way_out="Rebuild it: then it is valid.")

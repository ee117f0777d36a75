"""Set the time to live of every key that matches a pattern, with jitter; former expiries are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.engine.contracts.action import Action, Planning, Progress, Tier
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Check, Fact, Figure, Outcome, Plan, exactly, say
from apps.engine.target import Kind, Target
from apps.engine.units import duration_text
from apps.keyspace import by_pattern
from apps.keyspace.by_pattern import ANY_TYPE, GENTLE, PACES, Passed, budget_of, passed, takes
from apps.keyspace.changes import Expiring
from apps.keyspace.counting import facts_of, sample_of
from apps.keyspace.expiries import RestoreExpiries
from apps.keyspace.selecting import Selection, selection
from apps.keyspace.sweeping import Sweep

KEY_US = (3.0, 10.0)
WHICH = (
    ("unlimited", "those that never expire"),
    ("longer", "those that live longer than this"),
    ("all", "all that match"),
)
YEAR_S = 366 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    folder: bytes = param("Within", fixed=True, default=b"")
    pattern: bytes = param(
        "Pattern",
        default=b"",
        mono=True,
        most_bytes=128,
        help="As in Redis: * ? [abc]. Within the folder, if there is one.",
    )
    db: int = param("Database", fixed=True, default=0, least=0, most=65_535)
    key_type: str = param("Type", default="", choices=ANY_TYPE)
    ttl_s: int = param("Time to live in seconds", unit="s", least=1, most=YEAR_S)
    jitter_percent: int = param(
        "Jitter in per cent",
        default=10,
        unit="%",
        least=0,
        most=50,
        help="Spreads the ends, so that they do not come at once.",
    )
    which: str = param("Which keys", default="unlimited", choices=WHICH)
    pace: str = param("Pace", default=GENTLE, choices=PACES)


class SetTtl(Action[Params]):
    key = "keyspace.set_ttl"
    title = "Set the time to live by pattern"
    verb = "Set TTL"
    icon = "clock-edit"
    kind = Kind.REDIS
    tier = Tier.T4
    permission = "keys.change_many"
    feature = "keyspace.change"
    params = Params
    undo = RestoreExpiries()
    never = "Values, keys that do not match, other databases, and more keys than planned and a tenth."
    deadline_s = 12 * 3600.0
    exclusive = True
    resumable = True

    @property
    def is_grave(self) -> bool:
        return False

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one pass over all keys, a sample of 2,000 described. Cost: see counting. Errors: Refused, EngineError."""
        seen = passed(target, _selection(params), pace=params.pace, planning=planning)
        matched = seen.counted.matched_count
        if not matched:
            return Plan(effect="Set the TTL of 0 keys", of=seen.of, keep="Close", blocked=say("No key matches."))
        time = takes(seen, key_us=KEY_US, budget_ratio=budget_of(target, params.pace))
        spread = params.ttl_s * params.jitter_percent / 100
        return Plan(
            effect=f"Set the TTL of up to {matched:,} keys",
            of=seen.of,
            keep="Leave them as they are",
            figures=(
                Figure(label="Keys that match", amount=exactly(matched), note=say("counted in a full pass")),
                Figure(
                    label="They expire in", amount=exactly(params.ttl_s, "s"), note=say(f"±{duration_text(spread)}")
                ),
                Figure(label="Takes", amount=time, note=say("at the load budget")),
            ),
            facts=(
                *facts_of(seen.described, seen.counted),
                Fact(label="Chosen", words=say(_chosen(seen, params))),
                Fact(
                    label="What follows",
                    words=say("When their time is over they are gone for good; undo ends before that."),
                ),
            ),
            sample=sample_of(seen.described),
            commands=(
                "# until the cursor is 0",
                f"SCAN <cursor> MATCH {by_pattern.shown_pattern(seen.chosen)} COUNT 500",
                "WATCH <key> …   PTTL <key>",
                "MULTI   PEXPIREAT <key> <now + TTL ± jitter>   EXEC",
            ),
            undo=say("Each former expiry is kept. Undo sets it again where the key still expires as this run said."),
            takes=time,
            most_count=matched,
            observed=seen.observed,
        )

    def checks(self, target: Target, params: Params, *, plan: Plan) -> Sequence[Check]:
        return by_pattern.checks(target, plan, db=params.db)

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        by_pattern.set_pace(progress, target, params.pace)
        change = Expiring(
            ttl_ms=params.ttl_s * 1000,
            jitter_ratio=params.jitter_percent / 100,
            which=params.which,
        )
        return Sweep(target, _selection(params), change, progress, plan.most_count or 0).walk()


ACTION = SetTtl()


def _selection(params: Params) -> Selection:
    return selection(folder=params.folder, pattern=params.pattern, key_type=params.key_type, db=params.db)


def _chosen(seen: Passed, params: Params) -> str:
    """Which of them the choice leaves out, told from the sample."""
    drawn = seen.described.drawn
    if params.which == "all":
        return "all that match, also those that expire sooner now"
    limit_ms = params.ttl_s * 1000
    fits = [each.ttl_ms == -1 or (params.which == "longer" and each.ttl_ms > limit_ms) for each in drawn]
    return f"{dict(WHICH)[params.which]}: {seen.described.share(fits)} of them"

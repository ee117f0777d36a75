"""What deleting by pattern and setting times to live by pattern have in common: the selection, the pass, and the plan's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.engine.contracts.action import Planning, Progress
from apps.engine.contracts.plan import Amount, Check, Plan, Sentence, between, say
from apps.engine.target import Target
from apps.engine.text import plain
from apps.keyspace.counting import Counted, Described, count, describe
from apps.keyspace.selecting import TYPES, Primary, Selection, primaries
from apps.servers.models import Server

ANY_TYPE = (("", "any type"), *((each, each) for each in TYPES))
GENTLE, FULL = "gentle", "full"
PACES = ((GENTLE, "gentle: within the server's load budget"), (FULL, "as fast as it goes"))
SCAN_US = (0.9, 2.0)  # of the server's time for each key that is passed


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """One pass: what matches, described."""

    chosen: Selection
    nodes: Sequence[Primary]
    counted: Counted
    described: Described

    @property
    def keys_count(self) -> int:
        return sum(node.keys_count for node in self.nodes)

    @property
    def observed(self) -> dict[str, str]:
        return {f"run of {node.address}": node.run_id for node in self.nodes}

    @property
    def of(self) -> Sentence:
        kinds = f", {self.chosen.key_type} only" if self.chosen.key_type else ""
        return say("by pattern ", self.chosen.glob.source, f" in db {self.chosen.db}{kinds}")


def budget_of(target: Target, pace: str) -> float:
    """The share of the server's time a run may take: what is registered, or all of it."""
    if pace == FULL:
        return 1.0
    return float(Server.objects.filter(key=target.id).values_list("load_budget_ratio", flat=True).first() or 0.05)


def set_pace(progress: Progress, target: Target, pace: str) -> None:
    """What the operator chose, for a run."""
    if pace == FULL:
        progress.pacer.pace.at_full_speed()
    else:
        progress.pacer.pace.budget_ratio = budget_of(target, pace)


def passed(target: Target, chosen: Selection, *, pace: str, planning: Planning) -> Passed:
    """Errors: those of primaries, count and describe."""
    nodes = primaries(target, db=chosen.db)
    counted = count(target, chosen, nodes=nodes, planning=planning, budget_ratio=budget_of(target, pace))
    return Passed(chosen=chosen, nodes=nodes, counted=counted, described=describe(target, counted, db=chosen.db))


def takes(seen: Passed, *, key_us: tuple[float, float], budget_ratio: float) -> Amount:
    """How long the run will take: what the server works for each key, over the share it may take."""
    low, high = (
        (seen.keys_count * scan_us + seen.counted.matched_count * each_us) / 1e6 / budget_ratio
        for scan_us, each_us in zip(SCAN_US, key_us, strict=True)
    )
    return between(max(round(low), 1), max(round(high), 2), "s")


def checks(target: Target, plan: Plan, *, db: int) -> list[Check]:
    """Whether the same servers, in the same life, still take the writes."""
    now = {f"run of {node.address}": node.run_id for node in primaries(target, db=db)}
    return [
        Check(label=label, planned=run_id[:8], now=now.get(label, "no primary")[:8], ok=now.get(label) == run_id)
        for label, run_id in plan.observed.items()
    ]


def shown_pattern(chosen: Selection) -> str:
    return plain(chosen.glob.source, most=120)

"""Ask one node's allocator to give back the memory that it keeps and does not use."""

from __future__ import annotations

from dataclasses import dataclass

from apps.engine.connections.redis import redis_node
from apps.engine.contracts.action import Action, NoUndo, Planning, Progress, Tier
from apps.engine.contracts.plan import Amount, Ending, Fact, Figure, Outcome, Plan, Sentence, exactly, say, unknown
from apps.engine.target import Kind, Target
from apps.upkeep import nodes
from apps.upkeep.nodes import OfNode
from apps.upkeep.reads.info import Info
from apps.upkeep.reads.memory import memory_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(OfNode):
    pass


class MemoryPurge(Action[Params]):
    key = "upkeep.memory_purge"
    title = "Give unused memory back"
    verb = "Purge memory"
    icon = "refresh"
    kind = Kind.REDIS
    tier = Tier.T2
    permission = "stats.reset"
    feature = "upkeep.purge"
    params = Params
    undo = NoUndo("The server takes memory again as soon as it needs it.")
    never = "A key, a setting, another node."
    inline = True

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one node. Units: bytes. Cost: one INFO. Errors: Gone; those of redis_node. Source: INFO memory."""
        address = nodes.address_of(target, params)
        with redis_node(target, address=address) as node:
            info = nodes.asked(node)
        return Plan(
            effect="Give unused memory back",
            of=say(f"the allocator of {address}"),
            keep="Leave it",
            figures=_figures(info),
            facts=(
                Fact(label="What goes", words=say("pages that hold no value any more; gaps between values stay")),
                Fact(
                    label="Meanwhile",
                    words=say("the node stands still while it looks: some ms, more with many GB resident"),
                ),
                Fact(label="Means", words=say(memory_of(info).fragmentation_words)),
                *((Fact(label="Other nodes", words=say(others)),) if (others := nodes.other_nodes(target)) else ()),
            ),
            commands=("MEMORY PURGE",),
            blocked=_why_not(info),
        )

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        with progress.redis(nodes.address_of(target, params)) as node:
            before = nodes.asked(node)
            progress.check()
            node.command("MEMORY", "PURGE")
            after = nodes.asked(node)
        progress.step(1, total_count=1)
        given_back = (memory_of(before).resident_bytes or 0) - (memory_of(after).resident_bytes or 0)
        return Outcome(
            ending=Ending.DONE,
            said=say(_result(given_back)),
            figures=_figures(after),
            facts=(
                Fact(label="Before", words=say(_ratio_words(before))),
                Fact(label="After", words=say(_ratio_words(after))),
            ),
        )


ACTION = MemoryPurge()


def _why_not(info: Info) -> Sentence:
    """Another allocator answers OK and does nothing."""
    allocator = info.text("mem_allocator") or "an allocator that it does not name"
    if allocator.startswith("jemalloc"):
        return ()
    return say(f"This server was built with {allocator}: only jemalloc gives memory back when it is asked.")


def _figures(info: Info) -> tuple[Figure, ...]:
    memory = memory_of(info)
    return (
        Figure(label="Used", amount=_bytes(memory.used_bytes)),
        Figure(label="Resident", amount=_bytes(memory.resident_bytes), note=say("what the system gave")),
        Figure(
            label="Kept unused",
            amount=_bytes(info.number("allocator_rss_bytes")),
            note=say("by the allocator: what may go, at most"),
        ),
        Figure(label="Gaps", amount=_bytes(info.number("allocator_frag_bytes")), note=say("between values: they stay")),
    )


def _bytes(size: int | None) -> Amount:
    return unknown("This version does not say.", "B") if size is None else exactly(max(0, size), "B")


def _ratio_words(info: Info) -> str:
    ratio = memory_of(info).fragmentation_ratio
    return "not known" if ratio is None else f"{ratio:.2f} bytes resident for each used"


def _result(given_back: int) -> str:
    if given_back > 0:
        return f"The node gave {given_back:,} bytes back to the system."
    return "The node had nothing to give back that shows: its resident memory did not shrink."

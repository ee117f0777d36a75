"""Write a snapshot of one node to its disk, and wait until it is there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from apps.engine import units
from apps.engine.connections.redis import RedisNode, redis_node
from apps.engine.contracts.action import Action, NoUndo, Planning, Progress, Refused, Stopped, Tier
from apps.engine.contracts.plan import (
    Amount,
    Check,
    Ending,
    Fact,
    Figure,
    Outcome,
    Plan,
    Sentence,
    exactly,
    say,
    unknown,
)
from apps.engine.errors import Unreachable
from apps.engine.target import Kind, Target
from apps.upkeep import nodes
from apps.upkeep.nodes import OfNode
from apps.upkeep.reads.info import Info, parse_info
from apps.upkeep.reads.persistence import Persistence, persistence_of

EVERY_S = 0.25
NEVER_SAVED = "None since the server's start."


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(OfNode):
    pass


class Bgsave(Action[Params]):
    key = "upkeep.bgsave"
    title = "Write a snapshot"
    verb = "Save now"
    icon = "device-floppy"
    kind = Kind.REDIS
    tier = Tier.T2
    permission = "upkeep.analyze"
    feature = "upkeep.save"
    params = Params
    undo = NoUndo("The new file takes the place of the one before, as every save does.")
    never = "A key, a setting, the append-only file, another node."
    deadline_s = 6 * 3600.0
    exclusive = True
    lost = "A save that had begun goes on by itself: the page of upkeep says when the last one ended, and how."

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one node. Units: bytes, seconds. Cost: one INFO. Errors: Gone; those of redis_node. Source: INFO."""
        address = nodes.address_of(target, params)
        with redis_node(target, address=address) as node:
            info = nodes.asked(node)
        disk = persistence_of(info, saves=None, fsync=None)
        return Plan(
            effect="Write a snapshot",
            of=say(f"of {address} to its own disk"),
            keep="Leave it",
            figures=_figures(info, disk),
            facts=_facts(target, info, disk),
            commands=("BGSAVE", "# until it has ended", "INFO persistence"),
            warnings=_warnings(disk),
            observed={"run": info.text("run_id") or ""},
            blocked=busy_words(info),
        )

    def checks(self, target: Target, params: Params, *, plan: Plan) -> Sequence[Check]:
        with redis_node(target, address=nodes.address_of(target, params)) as node:
            info = nodes.asked(node)
        busy = " ".join(piece.text for piece in busy_words(info))
        return [Check(label="Saves and rewrites", planned="none at work", now=busy or "none at work", ok=not busy)]

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        address = nodes.address_of(target, params)
        with progress.redis(address) as node:
            since_s = _a_second_without_a_save(node)
            progress.check()
            node.command("BGSAVE")
            began_at = time.monotonic()
            try:
                return _waited(node, since_s, progress, began_at=began_at)
            except Stopped as stopped:
                words = "The save cannot be stopped: it goes on on the server, and is not waited for any more."
                return Outcome(ending=Ending.PARTIAL, said=say(f"{stopped.message} {words}"))
            except Unreachable as error:
                words = "Whether the snapshot was written is not known: the page of upkeep says when the last one was."
                return Outcome(ending=Ending.UNKNOWN, said=say(f"{error.message} {words}"))


ACTION = Bgsave()


def busy_words(info: Info) -> Sentence:
    """Why no save can begin now; BGSAVE SCHEDULE would put it off to a moment that nobody watches."""
    if info.flag("loading"):
        return say("The server is loading its data.")
    if info.flag("rdb_bgsave_in_progress"):
        return say("A save is at work already: its end is told on the page of upkeep.")
    if info.flag("aof_rewrite_in_progress") or info.flag("aof_rewrite_scheduled"):
        return say("The append-only file is being rewritten: two copies at once would take the memory of both.")
    if info.flag("module_fork_in_progress"):
        return say("A module has a copy of the server at work.")
    return ()


# -- waiting for its end -----------------------------------------------------------------------------------------------


def _a_second_without_a_save(node: RedisNode) -> int:
    """The server's time: a save that ends from then on is told apart from those before, which it says in whole seconds."""
    for _ in range(int(2 / EVERY_S)):
        now_s = int(node.command("TIME")[0])
        if (parse_info(node.command("INFO", "persistence")).number("rdb_last_save_time") or 0) < now_s:
            return now_s
        time.sleep(EVERY_S)
    raise Refused(
        "Its last save is said to be of a time to come: its end could not be told.", way_out="Look at its clock."
    )


def _waited(node: RedisNode, since_s: int, progress: Progress, *, began_at: float) -> Outcome:
    """Errors: Stopped when it is not waited for any more; Unreachable."""
    total = 1
    while True:
        info = parse_info(node.command("INFO", "persistence"))
        if not info.flag("rdb_bgsave_in_progress") or _is_written(info, since_s):
            outcome = _ended(info, since_s, took_s=time.monotonic() - began_at)
            with suppress(Stopped):  # asked to stop just as it ended
                progress.step(total if outcome.ending is Ending.DONE else 0, total_count=total)
            return outcome
        total = info.number("current_save_keys_total") or total
        progress.step(info.number("current_save_keys_processed") or 0, total_count=total, note="keys written")
        time.sleep(EVERY_S)


def _is_written(info: Info, since_s: int) -> bool:
    """By the time of the last save that succeeded: the server counts those that began, and keeps an older outcome while one runs."""
    return (info.number("rdb_last_save_time") or 0) >= since_s


def _ended(info: Info, since_s: int, *, took_s: float) -> Outcome:
    if _is_written(info, since_s):
        return Outcome(
            ending=Ending.DONE,
            said=say("The snapshot is written."),
            figures=(
                Figure(label="Took", amount=exactly(took_s, "s")),
                Figure(
                    label="Copied meanwhile",
                    amount=_bytes(info.number("rdb_last_cow_size")),
                    note=say("pages that were written to while it ran"),
                ),
                Figure(label="Changes since", amount=exactly(info.number("rdb_changes_since_last_save") or 0)),
            ),
        )
    if info.text("rdb_last_bgsave_status") not in (None, "ok"):
        words = "The save failed: the server's log says why, most often a full disk or no memory for the copy."
        return Outcome(ending=Ending.FAILED, said=say(f"{words} The file of the last save stays."))
    words = "The save ended without a file: somebody ended the server's copy, or flushed its data."
    return Outcome(ending=Ending.FAILED, said=say(f"{words} The file of the last save stays."))


# -- in words ----------------------------------------------------------------------------------------------------------


def _figures(info: Info, disk: Persistence) -> tuple[Figure, ...]:
    return (
        Figure(label="In memory", amount=_bytes(info.number("used_memory")), note=say("the file is smaller, mostly")),
        Figure(
            label="Not saved yet",
            amount=unknown("This version does not say.") if disk.changes_count is None else exactly(disk.changes_count),
            note=say("changes"),
        ),
        Figure(
            label="The last took",
            amount=unknown(NEVER_SAVED) if disk.save_took_s is None else exactly(disk.save_took_s, "s"),
        ),
        Figure(
            label="Stands still",
            amount=unknown(NEVER_SAVED) if disk.fork_s is None else exactly(disk.fork_s, "s"),
            note=say("for the fork, as at the last one"),
        ),
    )


def _facts(target: Target, info: Info, disk: Persistence) -> tuple[Fact, ...]:
    copied = disk.save_copied_bytes
    last = f"; the last save copied {' '.join(units.memory(copied))}" if copied else ""
    machine = info.number("total_system_memory")
    whole = f"; the machine has {' '.join(units.memory(machine))} in all" if machine else ""
    facts = [
        Fact(label="Memory", words=say(f"what is written to meanwhile is copied, at worst everything once more{last}")),
        Fact(label="Free memory", words=say(f"not known from here{whole}"), signal="" if copied else "warn"),
        Fact(
            label="Disk",
            words=say("the former file stays until the new one is whole: room for both is needed, and not known"),
        ),
        Fact(label="Cannot be stopped", words=say("once it has begun it goes on, whatever becomes of this run")),
    ]
    if others := nodes.other_nodes(target):
        facts.append(Fact(label="Other nodes", words=say(others)))
    return tuple(facts)


def _warnings(disk: Persistence) -> tuple[Sentence, ...]:
    if disk.save_failed:
        return (say("The last save failed: look at the server's log and disk first."),)
    return ()


def _bytes(size: int | None) -> Amount:
    return unknown("This version does not say.", "B") if size is None else exactly(size, "B")

"""Delete every key that matches a pattern, each kept before it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.engine.contracts.action import Action, Planning, Progress, Tier
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Amount, Check, Fact, Figure, Outcome, Plan, Sentence, about, exactly, say
from apps.engine.target import Kind, Target
from apps.keyspace import by_pattern
from apps.keyspace.by_pattern import ANY_TYPE, GENTLE, PACES, Passed, budget_of, passed, takes
from apps.keyspace.changes import DROP, KEEP, LEAVE, Deleting
from apps.keyspace.counting import facts_of, sample_of
from apps.keyspace.restoring import RestoreKeys
from apps.keyspace.selecting import Selection, selection
from apps.keyspace.sweeping import Sweep
from apps.operations.archives import room_bytes

# Server time for each key that goes, in µs: with and without keeping it. Measured: benchmarks/delete_by_pattern.py.
KEPT_US, UNKEPT_US = (8.0, 25.0), (1.0, 4.0)
# A DUMP is smaller than the memory it stands for, sealed and compressed it is smaller still.
ARCHIVE_SHARE = 0.6


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
    archive: bool = param("Keep originals, so that it can be undone", default=True)
    large: str = param(
        "Keys over 4 MB",
        default=LEAVE,
        choices=(
            (LEAVE, "leave them"),
            (KEEP, "keep and delete them: holds the server up"),
            (DROP, "delete them for good"),
        ),
    )
    pace: str = param("Pace", default=GENTLE, choices=PACES)


class DeletePattern(Action[Params]):
    key = "keyspace.delete_pattern"
    title = "Delete keys by pattern"
    verb = "Delete by pattern"
    icon = "trash"
    kind = Kind.REDIS
    tier = Tier.T4
    permission = "keys.change_many"
    feature = "keyspace.change"
    params = Params
    undo = RestoreKeys()
    never = "Keys that do not match, other databases, and more keys than planned and a tenth."
    deadline_s = 12 * 3600.0
    exclusive = True
    resumable = True

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one pass over all keys, a sample of 2,000 described. Cost: see counting. Errors: Refused, EngineError."""
        seen = passed(target, _selection(params), pace=params.pace, planning=planning)
        matched = seen.counted.matched_count
        if not matched:
            return Plan(effect="Delete 0 keys", of=seen.of, keep="Close", blocked=say("No key matches."))
        budget = budget_of(target, params.pace)
        return Plan(
            effect=f"Delete {matched:,} key{'s' if matched != 1 else ''}",
            of=seen.of,
            keep="Keep everything",
            figures=_figures(seen, takes(seen, key_us=KEPT_US if params.archive else UNKEPT_US, budget_ratio=budget)),
            facts=(*facts_of(seen.described, seen.counted), *_limits(seen, params)),
            sample=sample_of(seen.described),
            commands=_commands(seen.chosen, params),
            undo=_undo(target, seen, params),
            warnings=_warnings(target, seen, params),
            takes=takes(seen, key_us=KEPT_US if params.archive else UNKEPT_US, budget_ratio=budget),
            most_count=matched,
            observed=seen.observed,
        )

    def checks(self, target: Target, params: Params, *, plan: Plan) -> Sequence[Check]:
        return by_pattern.checks(target, plan, db=params.db)

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        by_pattern.set_pace(progress, target, params.pace)
        change = Deleting(keeps=params.archive, large=params.large)
        return Sweep(target, _selection(params), change, progress, plan.most_count or 0).walk()


ACTION = DeletePattern()


def _selection(params: Params) -> Selection:
    return selection(folder=params.folder, pattern=params.pattern, key_type=params.key_type, db=params.db)


def _figures(seen: Passed, time: Amount) -> tuple[Figure, ...]:
    matched = seen.counted.matched_count
    return (
        Figure(label="Keys deleted", amount=exactly(matched), note=say("counted in a full pass"), grave=True),
        Figure(
            label="Memory freed", amount=seen.described.memory, note=say(f"from {len(seen.described.drawn):,} keys")
        ),
        Figure(label="Takes", amount=time, note=say("at the load budget")),
        Figure(
            label="Keys that stay",
            amount=exactly(max(seen.keys_count - matched, 0)),
            note=say("none match the pattern"),
        ),
    )


def _limits(seen: Passed, params: Params) -> tuple[Fact, ...]:
    large = len(seen.described.large)
    what = {LEAVE: "left alone", KEEP: "kept and deleted", DROP: "deleted without an original"}[params.large]
    return (
        Fact(label="Over 4 MB", words=say(f"{large} in the sample; those are {what}"), signal="warn" if large else ""),
        Fact(
            label="Stops if",
            words=say(
                f"more than {int(seen.counted.matched_count * 1.1) + 10:,} keys match, the server restarts, or others wait over"
                " 5 ms for 30 s"
            ),
        ),
    )


def _commands(chosen: Selection, params: Params) -> tuple[str, ...]:
    scan = f"SCAN <cursor> MATCH {by_pattern.shown_pattern(chosen)} COUNT 500{f' TYPE {chosen.key_type}' if chosen.key_type else ''}"
    if not params.archive:
        return ("# until the cursor is 0", scan, "UNLINK <key> … up to 200 keys")
    return (
        "# until the cursor is 0",
        scan,
        "# archive first, up to 200 keys",
        "WATCH <key> …",
        "MEMORY USAGE <key> SAMPLES 5   PTTL <key>   DUMP <key>",
        "# then, if none was written to meanwhile",
        "MULTI   UNLINK <key> …   EXEC",
    )


def _archive_size(seen: Passed) -> Amount | None:
    memory = seen.described.memory
    middle = memory.value
    if middle is None:
        return None
    high = memory.high if memory.high is not None else middle
    return about(middle * ARCHIVE_SHARE, 0.0, high, "B on disk")


def _undo(target: Target, seen: Passed, params: Params) -> Sentence:
    if not params.archive:
        return ()
    return say(
        "Each key is kept with its expiry before it goes, encrypted, on the console. Undo puts back the keys that do not exist"
        " again by then."
    )


def _warnings(target: Target, seen: Passed, params: Params) -> tuple[Sentence, ...]:
    size = _archive_size(seen) if params.archive else None
    room = room_bytes(target.id)
    if size is None or size.value is None or size.value < room * 0.8:
        return ()
    return (
        say(
            f"The originals may take {size.value / 1e6:,.0f} MB, and {room / 1e6:,.0f} MB are free for this server: the run stops"
            " when that is full."
        ),
    )

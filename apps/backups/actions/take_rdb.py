"""Back a Redis up: its snapshot over the replication stream, checked, sealed and put in place as a whole."""

from __future__ import annotations

from dataclasses import dataclass

from apps.backups import taking
from apps.backups.folder import Draft
from apps.backups.manifest import Manifest, part_of
from apps.backups.rdb import Checked, RdbCheck
from apps.backups.reads.snapshot import SnapshotFacts, snapshot_facts
from apps.backups.taking import Written
from apps.engine.connections.redis_snapshot import Snapshot
from apps.engine.contracts.action import Action, NoUndo, Planning, Progress, Tier
from apps.engine.contracts.plan import Amount, Fact, Figure, Outcome, Plan, Sentence, about, between, exactly, say
from apps.engine.target import Kind, Profile, Target

PART = "dump.rdb"
STALLS_AFTER_S = 90.0  # a server that prepares says so every 10 s
# Measured: an RDB is a tenth to nine tenths of the memory that its keys take, and a fork holds 10 to 40 ms for each GiB.
LEAST_SHARE, MOST_SHARE = 0.1, 0.9
FORK_MS_PER_GIB = (10.0, 40.0)
STREAM_BYTES_PER_S = (20e6, 120e6)
GIB = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    pass


class TakeRdb(Action[Params]):
    key = "backups.take_rdb"
    title = "Take a backup"
    verb = "Back up now"
    icon = "database-export"
    kind = Kind.REDIS
    tier = Tier.T2
    permission = "backups.take"
    feature = "backups.rdb"
    profile = Profile.BACKUP
    params = Params
    undo = NoUndo("Nothing on the server is changed; the backup can be deleted.")
    never = "A key, a setting, the server's own snapshots and its append-only file."
    queue = "dumps"
    deadline_s = 6 * 3600.0
    exclusive = True
    resumable = True
    unit = "B on disk"

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one node. Cost: two commands. Errors: EngineError, StoreFull."""
        facts, last = snapshot_facts(target), taking.last_of(target.id)
        size = _size(facts, last)
        stored = last.size_bytes if last else (size.high or 0) * 0.6
        room, full, warnings = taking.room(stored)
        time = taking.takes(
            last, (size.low or 0) / STREAM_BYTES_PER_S[1] + 1, (size.high or 0) / STREAM_BYTES_PER_S[0] + 10
        )
        return Plan(
            effect="Back all databases up",
            of=say(f"all databases of {target.name}, {facts.version_text} at {target.address}"),
            keep="Take none",
            figures=(
                Figure(label="Keys", amount=exactly(facts.keys_count), note=say("in all databases, now")),
                Figure(label="To be sent", amount=size, note=say("as the last one" if last else "from its memory")),
                Figure(label="Takes", amount=time),
                *room,
            ),
            facts=_facts(facts),
            commands=(
                *taking.commands("REPLCONF capa eof", "REPLCONF rdb-only 1", "PSYNC ? -1", where="on the server"),
                "# verified as it comes: its form, its end, its checksum",
            ),
            undo=(),
            warnings=(*_warnings(facts), *warnings),
            takes=time,
            blocked=_blocked(facts) or full,
        )

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        """Cost: one fork of the server, and its whole data over the wire. Errors: Cancelled, Fenced."""
        expected = next((figure.amount for figure in plan.figures if figure.label == "To be sent"), None)
        return taking.taken(target, progress, lambda draft: _write(target, draft, progress, expected))


ACTION = TakeRdb()


def _write(target: Target, draft: Draft, progress: Progress, expected: Amount | None) -> Written:
    facts = snapshot_facts(target)
    check, writer = RdbCheck(), draft.writer(PART)
    with progress.redis() as node:
        snapshot = Snapshot(node, stalls_after_s=STALLS_AFTER_S)
        guess_bytes = int((expected and (expected.value or expected.high)) or 0) or None
        for block in snapshot.blocks():
            if block:
                check.feed(block)
                writer.write(block)
            total_bytes = snapshot.total_bytes or max(guess_bytes or 0, check.size_bytes) or None
            note = "receiving" if snapshot.is_begun else "the server prepares the snapshot"
            progress.step(check.size_bytes, total_count=total_bytes, note=note)
    checked = check.finish()
    progress.step(check.size_bytes, total_count=check.size_bytes, note="putting it in place")
    part = part_of(PART, "the snapshot", f"{PART}.sealed", writer.finish())
    return Written(
        parts=(part,),
        version_text=facts.version_text,
        tool="the replication stream",
        as_of=checked.as_of,
        facts=_kept_facts(facts, checked, snapshot),
        remarks=_remarks(checked, facts),
    )


def _kept_facts(facts: SnapshotFacts, checked: Checked, snapshot: Snapshot) -> dict[str, str]:
    return {
        "keys, counted as it began": str(facts.keys_count),
        "RDB version": str(checked.version),
        "replication id and offset": snapshot.position,
        **{
            f"RDB {name}": value
            for name, value in checked.facts.items()
            if name in ("redis-ver", "valkey-ver", "used-mem")
        },
    }


def _remarks(checked: Checked, facts: SnapshotFacts) -> tuple[str, ...]:
    found = []
    if not checked.has_checksum:
        found.append(
            "The server writes no checksum into its snapshots (rdbchecksum no): its form and its end were checked."
        )
    if facts.in_cluster:
        found.append("The server is a node of a cluster: this is its part of the keys.")
    return tuple(found)


# -- what the plan says ------------------------------------------------------------------------------------------------


def _size(facts: SnapshotFacts, last: Manifest | None) -> Amount:
    if last is not None:
        return about(last.plain_bytes, last.plain_bytes * 0.7, last.plain_bytes * 1.4, "B on disk")
    held = facts.dataset_bytes or facts.used_bytes
    return between(held * LEAST_SHARE, held * MOST_SHARE, "B on disk")


def _facts(facts: SnapshotFacts) -> tuple[Fact, ...]:
    return (
        Fact(label="Fork", words=_fork(facts)),
        Fact(label="Memory", words=_memory(facts), signal="warn" if _is_tight(facts) else ""),
        Fact(label="Its replicas", words=say("are not touched; this is one more, for as long as it lasts")),
        Fact(label="Read from", words=say("a replica" if facts.role == "slave" else "a primary")),
        Fact(
            label="Not in it",
            words=say("users and rules, settings. Functions are in it; a server with modules needs them to load it."),
        ),
        Fact(
            label="Stops if",
            words=say(f"nothing comes for {STALLS_AFTER_S:.0f} s, or the disk gets full; then nothing is kept"),
        ),
    )


def _fork(facts: SnapshotFacts) -> Sentence:
    if facts.fork_us is not None:
        return say(f"every client waits for one fork; the last took {facts.fork_us / 1000:.1f} ms")
    low, high = (each * facts.used_bytes / GIB for each in FORK_MS_PER_GIB)
    return say(f"every client waits for one fork: {low:.1f} to {high:.1f} ms at this size; it has not forked yet")


def _memory(facts: SnapshotFacts) -> Sentence:
    """What is written meanwhile is copied: none of it, or in the worst case all."""
    last = f"; the last snapshot took {facts.cow_bytes / 1024**2:,.0f} MiB" if facts.cow_bytes else ""
    worst = f"up to {facts.used_bytes / 1024**2:,.0f} MiB more while clients write{last}"
    if facts.machine_bytes:
        worst += f"; its machine has {facts.machine_bytes / 1024**2:,.0f} MiB in all"
    return say(worst)


def _is_tight(facts: SnapshotFacts) -> bool:
    return bool(facts.machine_bytes) and facts.used_bytes * 2 > facts.machine_bytes


def _warnings(facts: SnapshotFacts) -> tuple[Sentence, ...]:
    found: list[Sentence] = []
    if _is_tight(facts):
        found.append(
            say(
                "Its keys take more than half of its machine's memory: where much is written meanwhile, it may run out."
            )
        )
    if facts.is_saving or facts.is_rewriting:
        what = "a snapshot" if facts.is_saving else "its append-only file"
        found.append(say(f"The server is writing {what} just now: the backup waits until that is done."))
    if facts.keeps_writes_for_us:
        found.append(
            say(
                "Before 7.0 a server keeps for the backup what is written meanwhile, and ends it where that passes"
                " client-output-buffer-limit replica (64 MB for 60 s, or 256 MB)."
            )
        )
    if facts.in_cluster:
        found.append(say("This is one node of a cluster: its part of the keys alone. Back every primary up."))
    return tuple(found)


def _blocked(facts: SnapshotFacts) -> Sentence:
    if facts.is_loading:
        return say("The server is loading its data: it sends no snapshot until that is done.")
    if facts.link_is_down:
        return say("This replica has lost its primary, and sends no snapshot until it is there again.")
    if facts.has_psync is False:
        return say("This server has no PSYNC: who runs it leaves it out. Use the backups of that service.")
    return ()

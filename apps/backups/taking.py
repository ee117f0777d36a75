"""What taking a backup has in common, whatever is backed up: begun once, written aside, put in place as a whole or gone.

Its run ends as done or as failed, never in between: half a backup is none. One whose worker was killed begins anew under the same
name, unless it is there already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.backups import folder
from apps.backups.folder import BackupId, Draft
from apps.backups.manifest import Manifest, Part
from apps.engine.contracts.action import Cancelled, Fenced, Progress
from apps.engine.contracts.plan import Amount, Ending, Fact, Figure, Outcome, Sentence, exactly, say
from apps.engine.errors import EngineError
from apps.engine.target import Target
from apps.operations.models import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a capability wrote into a draft, and what there is to say of it."""

    parts: tuple[Part, ...]
    version_text: str
    tool: str
    database: str = ""
    as_of: datetime | None = None
    facts: dict[str, str]
    remarks: tuple[str, ...] = ()


def taken(target: Target, progress: Progress, write: Callable[[Draft], Written]) -> Outcome:
    """Make a backup of what `write` writes. Errors: Fenced; everything else is an outcome."""
    begun = progress.resumed(BackupId)
    if begun is None:
        begun = folder.new_id(datetime.now(UTC).replace(microsecond=0))
        progress.checkpoint(begun)
    if begun.name in folder.names(target.id):
        return _done(_look(target, begun))
    folder.clean()
    try:
        with folder.draft(target.id, begun) as draft:
            manifest = _manifest(target, progress, begun, write(draft))
            progress.check()
            draft.publish(manifest)
    except Fenced:
        raise
    except EngineError as error:
        ending = Ending.CANCELLED if isinstance(error, Cancelled) else Ending.FAILED
        return Outcome(ending=ending, said=say(f"{_words(error)} Nothing of it was kept."))
    return _done(_look(target, begun))


def _words(error: EngineError) -> str:
    missing = getattr(error, "missing", "")
    return " ".join(filter(None, [error.message, f"It lacks {missing}." if missing else "", error.way_out]))


def _look(target: Target, begun: BackupId) -> folder.Backup:
    return folder.look(target.id, begun.name)


def _manifest(target: Target, progress: Progress, begun: BackupId, written: Written) -> Manifest:
    return Manifest(
        id=begun.name,
        server=target.id,
        kind=target.kind.value,
        version_text=written.version_text,
        database=written.database,
        number=progress.run_number,
        by=Run.objects.values_list("operator__username", flat=True).get(pk=progress.run_number),
        begun_at=begun.at,
        taken_at=datetime.now(UTC),
        as_of=written.as_of,
        tool=written.tool,
        facts=written.facts,
        remarks=written.remarks,
        parts=written.parts,
    )


def _done(backup: folder.Backup) -> Outcome:
    """What is on disk now, looked at again."""
    manifest = backup.manifest
    if backup.problem or manifest is None:
        return Outcome(ending=Ending.FAILED, said=say(f"The backup was written, and is not whole: {backup.problem}"))
    stored = exactly(manifest.size_bytes, "B on disk")
    return Outcome(
        ending=Ending.DONE,
        said=say("Backed up, sealed and put in place."),
        figures=(
            Figure(label="On disk", amount=stored, note=say("compressed and encrypted")),
            Figure(label="Holds", amount=exactly(manifest.plain_bytes, "B on disk"), note=say("as it came")),
            Figure(label="Took", amount=exactly(round(manifest.took_s, 1), "s")),
        ),
        facts=(
            Fact(label="Backup", words=say(manifest.id)),
            *(Fact(label="Remark", words=say(remark), signal="warn") for remark in manifest.remarks),
            *(Fact(label=part.says.capitalize(), words=say(f"sha256 {part.sha256}")) for part in manifest.parts),
        ),
    )


# -- what plans say ----------------------------------------------------------------------------------------------------


def last_of(server: str, *, database: str = "") -> Manifest | None:
    """The newest whole backup, for what to expect. Cost: one small file for each that is newer than it."""
    found = (backup.manifest for backup in folder.listed(server) if not backup.problem)
    return next((m for m in found if m is not None and m.database == database), None)


def room(expected_bytes: float) -> tuple[tuple[Figure, ...], Sentence, tuple[Sentence, ...]]:
    """Figures, what blocks, and warnings about the disk, for a backup that may take so much. Errors: StoreFull."""
    free = folder.free_bytes(folder.root()) - folder.RESERVE_BYTES
    figure = Figure(label="Room", amount=exactly(max(free, 0), "B on disk"), note=say("free for backups"))
    if free <= 0:
        return (figure,), say("The disk of the backups is full: make room where BACKUP_FOLDER is."), ()
    if expected_bytes < free:
        return (figure,), (), ()
    words = f"It may take {expected_bytes / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free: the run ends and leaves nothing when"
    return (figure,), (), (say(f"{words} that is full."),)


def takes(last: Manifest | None, low_s: float, high_s: float) -> Amount:
    """As long as the last one, or a range."""
    if last is not None:
        return Amount(low=round(last.took_s * 0.7, 1), high=round(last.took_s * 1.5 + 5, 1), unit="s")
    return Amount(low=round(low_s, 1), high=round(high_s, 1), unit="s")


def commands(*lines: str, where: str) -> tuple[str, ...]:
    return (
        f"# {where}",
        *lines,
        "# on the console's disk: compressed, encrypted, synced, then put in place as a whole",
    )

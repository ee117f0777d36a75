"""The backup that an action is about, and what its plan says of it."""

from __future__ import annotations

from datetime import UTC, datetime

from apps.backups import folder
from apps.backups.folder import Backup
from apps.engine import units
from apps.engine.contracts.action import Refused
from apps.engine.contracts.plan import Fact, Figure, Sentence, exactly, say
from apps.engine.target import Target


def chosen(target: Target, name: str) -> Backup:
    """Errors: Gone for one that is not there; Refused for what is no name of a backup."""
    if not folder.NAME.fullmatch(name):
        raise Refused("This names no backup.", field="backup", way_out="Choose one from the list.")
    return folder.find(target.id, name)


def figures(backup: Backup, *, grave: bool) -> tuple[Figure, ...]:
    manifest = backup.manifest
    age_s = (datetime.now(UTC) - backup.begun_at).total_seconds()
    found = [Figure(label="Age", amount=exactly(int(age_s), "s"), note=say(f"{backup.begun_at:%d %b %Y %H:%M} UTC"))]
    if manifest is not None:
        found += [
            Figure(label="On disk", amount=exactly(manifest.size_bytes, "B on disk"), grave=grave),
            Figure(label="Holds", amount=exactly(manifest.plain_bytes, "B on disk")),
        ]
    return tuple(found)


def facts(backup: Backup) -> tuple[Fact, ...]:
    manifest = backup.manifest
    found = [Fact(label="Backup", words=say(backup.name))]
    if backup.problem:
        found.append(Fact(label="Problem", words=say(backup.problem), signal="warn"))
    if manifest is not None:
        found += [
            Fact(label="Taken from", words=say(f"{manifest.version_text} by {manifest.by}, run {manifest.number}")),
            *(
                Fact(label=part.name, words=say(f"{_size(part.plain_bytes)}, sha256 {part.sha256[:16]}…"))
                for part in manifest.parts
            ),
            *(Fact(label="Remark", words=say(remark), signal="warn") for remark in manifest.remarks),
        ]
    return tuple(found)


def of(target: Target, backup: Backup) -> Sentence:
    database = backup.manifest.database if backup.manifest else ""
    if database:
        return say(
            "the backup of ", database.encode(), f" of {target.name}, begun {backup.begun_at:%d %b %Y %H:%M} UTC"
        )
    return say(f"the backup of {target.name}, begun {backup.begun_at:%d %b %Y %H:%M} UTC")


def _size(size_bytes: int) -> str:
    return " ".join(units.disk(size_bytes))

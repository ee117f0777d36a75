"""What is in the folder of backups, and small backups put there by hand, for tests."""

from __future__ import annotations

from datetime import UTC, datetime

from apps.backups import folder
from apps.backups.folder import Backup
from apps.backups.manifest import Manifest, part_of

CONTENT = b"what a backup holds " * 1000
PART = "dump.rdb"


def only_backup(server: str) -> Backup:
    """The one backup of a server; a test that expects one wants no second."""
    (found,) = folder.listed(server)
    return found


def whole(backup: Backup, part: str) -> bytes:
    """What a part holds."""
    assert backup.manifest is not None
    found = backup.manifest.part(part)
    assert found is not None
    return b"".join(folder.content(backup, found))


def put(server: str, by: str = "alice", *, content: bytes = CONTENT, at: datetime | None = None) -> Backup:
    """A small backup, as a run makes it."""
    begun = at or datetime.now(UTC)
    made = folder.new_id(begun)
    with folder.draft(server, made) as draft:
        writer = draft.writer(PART)
        writer.write(content)
        part = part_of(PART, "the snapshot", f"{PART}.sealed", writer.finish())
        manifest = Manifest(
            id=made.name, server=server, kind="redis", version_text="Redis 7.0.15", by=by, begun_at=begun,
            taken_at=datetime.now(UTC), parts=(part,),
        )  # fmt: skip
        draft.publish(manifest)
    return folder.find(server, made.name)


def everything() -> list[str]:
    """Every file and folder there, hidden ones as well."""
    root = folder.root()
    return sorted(str(path.relative_to(root)) for path in root.rglob("*")) if root.exists() else []

"""What is in the folder of backups, for tests."""

from __future__ import annotations

from apps.backups import folder
from apps.backups.folder import Backup


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

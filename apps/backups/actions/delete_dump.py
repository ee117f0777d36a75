"""Delete a backup of a PostgreSQL."""

from __future__ import annotations

from apps.backups.deleting import DeletesBackup
from apps.engine.target import Kind


class DeleteDump(DeletesBackup):
    key = "backups.delete_dump"
    kind = Kind.POSTGRES
    feature = "overview"


ACTION = DeleteDump()

"""Delete a backup of a Redis."""

from __future__ import annotations

from apps.backups.deleting import DeletesBackup
from apps.engine.target import Kind


class DeleteRdb(DeletesBackup):
    key = "backups.delete_rdb"
    kind = Kind.REDIS
    feature = "connect"


ACTION = DeleteRdb()

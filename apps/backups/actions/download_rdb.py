"""Open a backup of a Redis for download."""

from __future__ import annotations

from apps.backups.handing_out import OpensBackup
from apps.engine.target import Kind


class DownloadRdb(OpensBackup):
    key = "backups.download_rdb"
    kind = Kind.REDIS
    feature = "connect"


ACTION = DownloadRdb()

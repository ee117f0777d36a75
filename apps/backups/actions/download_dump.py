"""Open a backup of a PostgreSQL for download."""

from __future__ import annotations

from apps.backups.handing_out import OpensBackup
from apps.engine.target import Kind


class DownloadDump(OpensBackup):
    key = "backups.download_dump"
    kind = Kind.POSTGRES
    feature = "overview"


ACTION = DownloadDump()

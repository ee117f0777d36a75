"""How a server stands with its backups, in words: what the newest whole one is, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from apps.backups import folder
from apps.backups.folder import Backup
from apps.servers.models import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`newest` is the newest of all, `whole` the newest that is whole. `is_late`: older than the server may lose of its changes."""

    count: int
    newest: Backup | None
    whole: Backup | None
    is_late: bool

    @property
    def is_well(self) -> bool:
        return self.whole is not None and self.whole is self.newest and not self.is_late

    @property
    def rank(self) -> int:
        return 3 if self.is_well else 0 if self.whole is None else 1

    @property
    def signal(self) -> str:
        if self.newest is None:
            return "skip"
        return "ok" if self.is_well else "crit" if self.whole is None or self.newest.problem else "warn"

    @property
    def words(self) -> str:
        if self.newest is None:
            return "none"
        if self.newest.problem:
            return "the newest is broken"
        return "older than it may be" if self.is_late else "whole"


def standing(server: Server) -> Standing:
    """Cost: one listing, and the small files of a few backups. Errors: none."""
    found = folder.listed(server.key, most=8)
    whole = next((backup for backup in found if not backup.problem), None)
    age_s = (datetime.now(UTC) - whole.begun_at).total_seconds() if whole else 0.0
    return Standing(
        count=len(folder.names(server.key)),
        newest=found[0] if found else None,
        whole=whole,
        is_late=bool(whole and server.rpo_s and age_s > server.rpo_s),
    )

"""What keeps WAL and who works: running vacuums, the archiver, replication slots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from apps.engine.connections.postgres import postgres_node
from apps.engine.files import sql_text
from apps.engine.target import Address, Target
from apps.upkeep.reads.folder import FOLDER
from apps.upkeep.reads.remark import Remark

SLOT_WARN_BYTES, SLOT_CRIT_BYTES = 10**9, 5 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacuum:
    """A vacuum that runs now. `table_name` is None in another database; figures are None without the right to see them."""

    pid: int
    database: str | None
    table_name: str | None
    phase: str | None
    is_automatic: bool | None
    begun_at: datetime | None
    heap_total_blocks: int | None
    heap_scanned_blocks: int | None
    heap_vacuumed_blocks: int | None
    index_round_count: int | None
    index_total_count: int | None
    index_done_count: int | None

    @property
    def scanned_ratio(self) -> float | None:
        if not self.heap_total_blocks or self.heap_scanned_blocks is None:
            return None
        return self.heap_scanned_blocks / self.heap_total_blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Archiver:
    mode: str
    archived_count: int
    archived_at: datetime | None
    failed_count: int
    failed_at: datetime | None
    failed_file: str | None
    counts_since: datetime | None

    @property
    def is_failing(self) -> bool:
        return self.failed_at is not None and (self.archived_at is None or self.failed_at > self.archived_at)

    @property
    def remark(self) -> Remark | None:
        if self.mode == "off":
            return None
        if self.is_failing:
            return Remark(signal="crit", short="archiving WAL fails", why=f"The last try was {self.failed_file}.")
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    name: str
    type: str
    database: str | None
    is_active: bool
    wal_status: str | None
    retained_bytes: int | None
    safe_bytes: int | None
    inactive_since: datetime | None

    @property
    def remark(self) -> Remark | None:
        if self.wal_status in ("unreserved", "lost"):
            return Remark(
                signal="crit", short=f"slot {self.name} is {self.wal_status}", why="Its consumer has to begin anew."
            )
        kept = self.retained_bytes or 0
        if kept >= SLOT_WARN_BYTES:
            signal = "crit" if kept >= SLOT_CRIT_BYTES else "warn"
            return Remark(
                signal=signal, short=f"slot {self.name} keeps WAL", why="The disk fills until somebody reads it."
            )
        if not self.is_active:
            return Remark(signal="info", short=f"slot {self.name} is not in use", why="It keeps WAL all the same.")
        return None


def vacuums(target: Target, *, database: str, address: Address | None = None) -> tuple[Vacuum, ...]:
    """The vacuums that run now. Shape: at most 100. Units: blocks. Cost: one row each.

    Errors: those of postgres_node. Source: pg_stat_progress_vacuum, pg_stat_activity.
    """
    with postgres_node(target, address=address, database=database) as node:
        return tuple(node.records(Vacuum, sql_text(FOLDER, "vacuums", major=node.version)))


def archiver(target: Target, *, address: Address | None = None) -> Archiver:
    """Whether WAL is archived. Units: files. Cost: one row. Errors: those of postgres_node. Source: pg_stat_archiver."""
    with postgres_node(target, address=address) as node:
        return node.records(Archiver, sql_text(FOLDER, "archiver", major=node.version))[0]


def slots(target: Target, *, address: Address | None = None) -> tuple[Slot, ...]:
    """Replication slots, the one that keeps most first. Shape: at most 200. Units: bytes. Cost: one row each.

    Errors: those of postgres_node. Source: pg_replication_slots.
    """
    with postgres_node(target, address=address) as node:
        return tuple(node.records(Slot, sql_text(FOLDER, "slots", major=node.version)))

"""What a Redis node has written to disk, and what a crash now would lose."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.engine import units
from apps.upkeep.reads.info import Info
from apps.upkeep.reads.remark import Remark

# In these roles what was accepted has to survive a crash.
DURABLE_ROLES = frozenset({"queue", "stream", "primary", "session"})
AOF_GREW_RATIO = 2.0
AOF_MATTERS_BYTES = 64 * 2**20
CLOCKS_DIFFER_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """RDB and AOF, as INFO tells. `saves` is the text of CONFIG GET save: "" never, None not known."""

    is_loading: bool | None
    changes_count: int | None
    saved_at: datetime | None
    save_status: str | None
    save_runs: bool | None
    save_took_s: int | None
    save_copied_bytes: int | None
    fork_s: float | None
    aof_is_on: bool | None
    aof_write_status: str | None
    aof_rewrite_status: str | None
    aof_rewrite_runs: bool | None
    aof_bytes: int | None
    aof_base_bytes: int | None
    saves: str | None
    fsync: str | None

    @property
    def save_failed(self) -> bool:
        return self.save_status not in (None, "ok")

    @property
    def saves_by_itself(self) -> bool | None:
        return None if self.saves is None else bool(self.saves.strip())

    @property
    def loses_words(self) -> str:
        """What a crash now would lose."""
        if self.aof_is_on:
            lost = {"always": "nothing that was acknowledged", "everysec": "at most about 1 s of writes"}
            return lost.get(self.fsync or "", "what the system has not written out yet, often up to 30 s")
        if self.aof_is_on is None or self.changes_count is None:
            return "the server does not say"
        if self.saves_by_itself is False:
            return "everything since the last save; by itself it never saves"
        return f"{units.count(self.changes_count)} changes since the last save or the server's start"

    def remarks(self, roles: frozenset[str]) -> Iterator[Remark]:
        yield from self._failures()
        durable = roles & DURABLE_ROLES
        if self.aof_is_on is False and self.saves_by_itself is False:
            why = "Neither AOF nor save points: a restart begins empty."
            yield Remark(signal="crit" if durable else "info", short="nothing is kept over a restart", why=why)
        elif self.aof_is_on is False and durable:
            yield Remark(
                signal="warn",
                short=f"a crash now would lose {units.count(self.changes_count or 0)} changes",
                why=f"AOF is off on a server for {', '.join(sorted(durable))}.",
            )
        if self.aof_is_on and self.fsync == "no" and durable:
            yield Remark(signal="crit", short="AOF is written when the system likes", why="appendfsync is no.")
        yield from self._growth()

    def _failures(self) -> Iterator[Remark]:
        failed = {
            "the last save failed": self.save_status,
            "the last AOF write failed": self.aof_write_status if self.aof_is_on else None,
            "the last AOF rewrite failed": self.aof_rewrite_status if self.aof_is_on else None,
        }
        for short, status in failed.items():
            if status not in (None, "ok"):
                yield Remark(signal="crit", short=short, why="See the server's log; often the disk is full.")
        if self.is_loading:
            yield Remark(signal="warn", short="it is loading its data", why="Until then it refuses most commands.")

    def _growth(self) -> Iterator[Remark]:
        size, base = self.aof_bytes, self.aof_base_bytes
        if self.aof_is_on and size and base and size > AOF_MATTERS_BYTES and size > AOF_GREW_RATIO * base:
            why = f"It was {' '.join(units.disk(base))} after its last rewrite; a restart replays all of it."
            yield Remark(signal="info", short=f"the AOF has grown to {' '.join(units.disk(size))}", why=why)


def _saved_s(info: Info) -> int | None:
    """When the last save was, or None without one: until then servers give the time of their own start."""
    saved_s, uptime_s = info.number("rdb_last_save_time"), info.number("uptime_in_seconds")
    count = info.number("rdb_saves")
    if count is not None:
        return saved_s if count else None
    if saved_s is None or uptime_s is None:
        return saved_s
    return None if abs(time.time() - uptime_s - saved_s) <= CLOCKS_DIFFER_S else saved_s


def persistence_of(info: Info, *, saves: str | None, fsync: str | None) -> Persistence:
    saved_s = _saved_s(info)
    took_s = info.number("rdb_last_bgsave_time_sec")
    fork_us = info.number("latest_fork_usec")
    return Persistence(
        is_loading=info.flag("loading"),
        changes_count=info.number("rdb_changes_since_last_save"),
        saved_at=datetime.fromtimestamp(saved_s, UTC) if saved_s else None,
        save_status=info.text("rdb_last_bgsave_status"),
        save_runs=info.flag("rdb_bgsave_in_progress"),
        save_took_s=took_s if took_s is not None and took_s >= 0 else None,
        save_copied_bytes=info.number("rdb_last_cow_size") or None,
        fork_s=fork_us / 1e6 if fork_us else None,
        aof_is_on=info.flag("aof_enabled"),
        aof_write_status=info.text("aof_last_write_status"),
        aof_rewrite_status=info.text("aof_last_bgrewrite_status"),
        aof_rewrite_runs=info.flag("aof_rewrite_in_progress"),
        aof_bytes=info.number("aof_current_size"),
        aof_base_bytes=info.number("aof_base_size"),
        saves=saves,
        fsync=fsync,
    )

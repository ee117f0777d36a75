"""The settings of a PostgreSQL server that matter: what each does, and a remark where its value is unusual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from apps.engine import units
from apps.engine.connections.postgres import postgres_node
from apps.engine.files import sql_text
from apps.engine.target import Address, Target
from apps.upkeep.reads.folder import FOLDER
from apps.upkeep.reads.remark import Remark, safe_name

_UNIT_BYTES = {"B": 1, "kB": 2**10, "8kB": 2**13, "16kB": 2**14, "32kB": 2**15, "MB": 2**20, "16MB": 2**24}
_UNIT_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting as pg_settings has it: `value` counts in `unit`. `source` is None where this session overrides it."""

    name: str
    value: str
    unit: str | None
    default_value: str | None
    source: str | None
    context: str
    is_waiting_for_restart: bool
    description: str

    @property
    def in_words(self) -> str:
        return said(self.value, self.unit)

    @property
    def default_in_words(self) -> str | None:
        return None if self.default_value is None else said(self.default_value, self.unit)

    @property
    def number(self) -> float | None:
        try:
            return float(self.value)
        except ValueError:
            return None


def said(value: str, unit: str | None) -> str:
    """A value with its unit as a person writes it: ("16384", "8kB") -> "128 MiB"; special values such as -1 stay bare."""
    try:
        number = float(value)
    except ValueError:
        return value
    if number <= 0 or unit is None:
        return value
    if unit in _UNIT_BYTES:
        return " ".join(units.memory(number * _UNIT_BYTES[unit]))
    if unit in _UNIT_S:
        return units.duration_text(number * _UNIT_S[unit])
    return f"{value} {unit}"


Judge = Callable[[Row], Remark | None]


def _is(value: str, signal: str, why: str) -> Judge:
    return lambda row: Remark(signal=signal, short="unusual", why=why) if row.value == value else None


def _below(limit: float, signal: str, why: str) -> Judge:
    return lambda row: (
        Remark(signal=signal, short="unusual", why=why) if row.number is not None and 0 <= row.number < limit else None
    )


_OFF = "A crash of the machine can lose or damage data."
JUDGES: dict[str, Judge | None] = {
    "autovacuum": _is("off", "crit", "Dead rows stay, tables grow, transaction ids run out."),
    "fsync": _is("off", "crit", _OFF),
    "full_page_writes": _is("off", "crit", _OFF),
    "synchronous_commit": _is("off", "warn", "A crash loses the last commits that were confirmed, some 0.6 s of them."),
    "track_counts": _is("off", "crit", "Autovacuum does not know what to do."),
    "track_io_timing": _is("off", "info", "Statements do not tell how long they waited for the disk."),
    "shared_buffers": _below(16385, "info", "128 MiB or less is the built-in value; a quarter of the memory is usual."),
    "effective_cache_size": None,
    "work_mem": _below(16384, "info", "Sorts and hashes above it go to disk; 16 MiB is a usual start."),
    "maintenance_work_mem": None,
    "max_connections": lambda row: (
        Remark(signal="info", short="unusual", why="So many sessions cost more than they bring; a pooler helps.")
        if (row.number or 0) > 500
        else None
    ),
    "max_wal_size": None,
    "checkpoint_timeout": _below(300, "info", "Checkpoints come often: more full pages are written."),
    "checkpoint_completion_target": _below(0.7, "info", "Checkpoints write in bursts."),
    "random_page_cost": _is("4", "info", "Right for turning disks; 1.1 is usual on solid ones."),
    "wal_level": None,
    "archive_mode": _is("off", "info", "Without archived WAL nothing can be restored to a point in time."),
    "max_slot_wal_keep_size": _is("-1", "info", "A forgotten slot keeps WAL until the disk is full."),
    "autovacuum_max_workers": None,
    "autovacuum_naptime": None,
    "autovacuum_vacuum_scale_factor": None,
    "autovacuum_vacuum_cost_limit": None,
    "autovacuum_freeze_max_age": None,
    "statement_timeout": _is("0", "info", "A statement may run for ever; set it for the roles of applications."),
    "lock_timeout": None,
    "idle_in_transaction_session_timeout": _is(
        "0", "info", "A forgotten transaction keeps locks and old rows for ever."
    ),
    "log_min_duration_statement": _is("-1", "info", "Slow statements are not logged."),
    "log_lock_waits": _is("off", "info", "Long waits for locks are not logged."),
    "password_encryption": _is("md5", "warn", "New passwords are kept as MD5, which is easily guessed."),
    "ssl": _is("off", "info", "Connections over the network are not encrypted."),
    "data_checksums": _is("off", "info", "Damage on the disk is not noticed when a page is read."),
    "hot_standby_feedback": None,
    "wal_log_hints": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    row: Row
    remark: Remark | None

    @property
    def rank(self) -> int:
        return self.remark.rank if self.remark else 99

    @property
    def in_heading(self) -> Remark:
        """The remark with the setting's name, for a heading that does not stand beside it."""
        name = safe_name(self.row.name)
        waits = f"setting {name} waits for a restart"
        signal, why = (self.remark.signal, self.remark.why) if self.remark else ("ok", "")
        return Remark(
            signal=signal,
            short=waits if self.row.is_waiting_for_restart else f"setting {name} is {self.row.in_words}",
            why=why,
        )


def settings_of(target: Target, *, address: Address | None = None) -> tuple[Setting, ...]:
    """The settings that matter, and any other that waits for a restart; those with a remark first.

    Shape: some 30. Units: each setting's own, said in words. Cost: one pass over pg_settings.
    Errors: those of postgres_node; settings that the account may not see are left out. Source: pg_settings.
    """
    with postgres_node(target, address=address) as node:
        rows = node.records(Row, sql_text(FOLDER, "settings", major=node.version), {"names": list(JUDGES)})
    return judged(rows)


def judged(rows: list[Row]) -> tuple[Setting, ...]:
    """Pure: each row with its remark. Waiting for a restart comes before what the value itself is worth."""
    found = [Setting(row=row, remark=_waiting(row) or _judged(row)) for row in rows]
    return tuple(sorted(found, key=lambda setting: (setting.rank, setting.row.name)))


def _judged(row: Row) -> Remark | None:
    judge = JUDGES.get(row.name)
    return judge(row) if judge else None


def _waiting(row: Row) -> Remark | None:
    why = "Its file has another value, which counts from the next restart on."
    return Remark(signal="warn", short="waits for a restart", why=why) if row.is_waiting_for_restart else None

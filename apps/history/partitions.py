"""On PostgreSQL the samples of a level lie in partitions by time, so that what is too old goes by DROP, not by DELETE."""

from __future__ import annotations

from django.db import connection, transaction

from apps.history.levels import Level

LOCK = 7_214_903  # of the advisory lock under which partitions are made: two samplers may want the same one
there: set[str] = set()  # what this process knows to be made


def ensure(level: Level, *, from_s: int, to_s: int) -> None:
    """The partitions that rows from `from_s` to `to_s` go to. Cost: nothing once they are known; nothing on SQLite."""
    if connection.vendor != "postgresql":
        return
    first_s = from_s // level.partition_s * level.partition_s
    for begin_s in range(first_s, to_s + 1, level.partition_s):
        if _name(level, begin_s) not in there:
            _create(level, begin_s)
            there.add(_name(level, begin_s))


def _name(level: Level, begin_s: int) -> str:
    return f"{level.model._meta.db_table}_{begin_s}"


def _create(level: Level, begin_s: int) -> None:
    table = level.model._meta.db_table
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {_name(level, begin_s)} PARTITION OF {table}"
            f" FOR VALUES FROM ({begin_s}) TO ({begin_s + level.partition_s})"
        )


def drop_before(level: Level, *, before_s: int) -> int:
    """Drop the partitions that end at or before `before_s`; how many. Cost: a short exclusive lock each."""
    table = level.model._meta.db_table
    dropped = 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [table])
        names = [name for (name,) in cursor.fetchall()]
        for name in names:
            if int(name.removeprefix(f"{table}_")) + level.partition_s <= before_s:
                cursor.execute(f"DROP TABLE {name}")
                there.discard(name)
                dropped += 1
    return dropped

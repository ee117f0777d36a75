"""The probes of a PostgreSQL against every version at hand: what they tell, with which rights, and where they end."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
import pytest

from apps.engine.contracts.probe import Probe, Value, bare
from apps.engine.files import sql_text
from apps.engine.target import Target
from apps.history.answers import SQL
from apps.history.probes import (
    postgres_io,
    postgres_replication,
    postgres_sequences,
    postgres_settings,
    postgres_size,
    postgres_sources,
    postgres_stats,
    postgres_tables,
    postgres_vacuum,
    postgres_waits,
    postgres_wal,
    postgres_writer,
)
from apps.history.rates import derived
from apps.history.remembered import REMEMBERED
from tests.history.waiting import number, until
from tests.real_servers import PostgresDatabase
from tests.targets import no_old_connections, postgres_target

__all__ = ["no_old_connections"]

ALL = (
    postgres_stats,
    postgres_size,
    postgres_sources,
    postgres_waits,
    postgres_wal,
    postgres_writer,
    postgres_io,
    postgres_replication,
    postgres_tables,
    postgres_vacuum,
    postgres_sequences,
    postgres_settings,
)


def rates(probe: Probe, now: Mapping[str, Value], before: Mapping[str, Value]) -> dict[str, float | None]:
    return derived(probe, now, before, elapsed_s=10)


def grown(probe: Probe, target: Target, before: Mapping[str, Value], *, name: str, least: float) -> Mapping[str, Value]:
    """The rates since `before`, once this one is there."""
    return until(lambda: rates(probe, probe.read(target), before), lambda per_s: number(per_s, name) >= least)


@pytest.fixture
def poor(each_postgres: PostgresDatabase) -> Iterator[str]:
    """A role that may sign in, and nothing more."""
    name = f"poor_{uuid.uuid4().hex[:8]}"
    each_postgres.sql(f"CREATE ROLE {name} LOGIN")
    yield name
    each_postgres.sql(f"DROP OWNED BY {name}")
    each_postgres.sql(f"DROP ROLE {name}")


@contextmanager
def waiting_for_a_lock(database: PostgresDatabase) -> Iterator[None]:
    """One session holds a table, another waits for it."""
    database.sql("CREATE TABLE IF NOT EXISTS orders (id int)")
    with database.connect() as holder, database.connect() as waiter:
        holder.execute("BEGIN; LOCK TABLE orders")
        thread = threading.Thread(target=waiter.execute, args=("SELECT * FROM orders",))
        thread.start()
        time.sleep(0.3)
        try:
            yield
        finally:
            holder.execute("ROLLBACK")
            thread.join()


def test_connections_are_told_by_what_they_do(each_postgres: PostgresDatabase) -> None:
    before = postgres_stats.read(postgres_target(each_postgres))
    with each_postgres.connect() as idle, each_postgres.connect() as open_one, waiting_for_a_lock(each_postgres):
        idle.execute("SELECT 1")
        open_one.execute("BEGIN; SELECT 1")
        seen = postgres_stats.read(postgres_target(each_postgres))
        open_one.execute("ROLLBACK")
    grown = {
        state: number(seen, f"clients_by_state_count[{state}]") - number(before, f"clients_by_state_count[{state}]")
        for state in ("active", "waiting for a lock", "idle", "idle in transaction")
    }
    assert grown == {"active": 0, "waiting for a lock": 1, "idle": 1, "idle in transaction": 2}


def test_rows_and_rollbacks_become_rates(each_postgres: PostgresDatabase) -> None:
    target = postgres_target(each_postgres)
    each_postgres.sql("CREATE TABLE orders (id int)")
    before = postgres_stats.read(target)
    each_postgres.sql("INSERT INTO orders SELECT generate_series(1, 1000)")
    each_postgres.sql("UPDATE orders SET id = id + 1 WHERE id <= 500")
    each_postgres.sql("DELETE FROM orders WHERE id <= 100")
    with pytest.raises(psycopg.errors.DivisionByZero):
        each_postgres.sql("SELECT 1 / 0")
    per_s = grown(postgres_stats.PROBE, target, before, name="rollbacks_per_s", least=0.1)
    per_s = grown(postgres_stats.PROBE, target, before, name="rows_deleted_per_s", least=9)
    assert number(per_s, "rows_inserted_per_s") >= 100
    assert number(per_s, "rows_updated_per_s") >= 50
    assert number(per_s, "rows_deleted_per_s") < 50
    assert number(per_s, "rows_returned_per_s") >= number(per_s, "rows_fetched_per_s") > 0
    assert number(per_s, "rollbacks_per_s") >= 0.1
    assert (per_s["deadlocks_per_s"], per_s["temp_bytes_per_s"]) == (0, 0)


def test_the_statement_for_13_tells_the_same_figures(each_postgres: PostgresDatabase) -> None:
    """No such server is at hand, but later ones understand it."""
    with each_postgres.connect() as session:
        told = [
            [column.name for column in session.execute(sql_text(SQL, "load", major=major)).description or ()]
            for major in (13, 14)
        ]
    assert told[0] == told[1]


def test_a_reset_of_the_statistics_gives_no_rate_and_is_no_restart(each_postgres: PostgresDatabase) -> None:
    target = postgres_target(each_postgres)
    before = postgres_stats.read(target)
    each_postgres.sql("SELECT pg_stat_reset()")
    now = until(lambda: postgres_stats.read(target), lambda seen: seen["counted_since"] != before["counted_since"])
    assert set(rates(postgres_stats.PROBE, now, before).values()) == {None}
    assert now["run"] == before["run"]


def test_connections_are_told_by_application_and_user(each_postgres: PostgresDatabase) -> None:
    REMEMBERED.forget()
    target = postgres_target(each_postgres)
    with each_postgres.connect(application_name="<b>billing</b>"), each_postgres.connect(application_name=""):
        seen = postgres_sources.read(target)
    assert seen["clients_by_application_count[<b>billing</b>]"] == 1
    assert number(seen, "clients_by_application_count[no name]") >= 1
    assert number(seen, "clients_by_application_count[signalbox]") >= 1
    assert number(seen, "clients_by_user_count[postgres]") >= 3
    until(
        lambda: postgres_sources.read(target),
        lambda later: later["clients_by_application_count[<b>billing</b>]"] == 0,
    )


def test_of_many_applications_the_largest_twenty_are_told(postgres_database: PostgresDatabase) -> None:
    REMEMBERED.forget()
    many = [postgres_database.connect(application_name=f"app {count}") for count in range(25)]
    two_of = postgres_database.connect(application_name="app 7")
    seen = postgres_sources.read(postgres_target(postgres_database))
    for connection in (*many, two_of):
        connection.close()
    assert sum(bare(name) == "clients_by_application_count" for name in seen) == postgres_sources.MOST_SOURCES
    assert seen["clients_by_application_count[app 7]"] == 2


def test_who_waits_for_what_is_told_and_is_nobody_later(each_postgres: PostgresDatabase) -> None:
    REMEMBERED.forget()
    target = postgres_target(each_postgres)
    with waiting_for_a_lock(each_postgres):
        seen = postgres_waits.read(target)
    assert (seen["sessions_by_wait_count[Lock]"], seen["sessions_waiting_count[Lock/relation]"]) == (1, 1)
    assert seen["sessions_by_wait_count[LWLock]"] == 0
    later = postgres_waits.read(target)
    assert (later["sessions_by_wait_count[Lock]"], later["sessions_waiting_count[Lock/relation]"]) == (0, 0)


def test_wal_grows_with_what_is_written(each_postgres: PostgresDatabase) -> None:
    target = postgres_target(each_postgres)
    before = postgres_wal.read(target)
    each_postgres.sql("CREATE TABLE orders AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)")
    per_s = grown(postgres_wal.PROBE, target, before, name="wal_bytes_per_s", least=50_000)
    now = postgres_wal.read(target)
    assert (now["replay_behind_bytes"], now["last_archived_age_s"], per_s.get("archived_per_s")) == (None, None, None)


def test_a_checkpoint_is_counted(each_postgres: PostgresDatabase) -> None:
    target = postgres_target(each_postgres)
    before = postgres_writer.read(target)
    each_postgres.sql("CREATE TABLE orders AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)")
    each_postgres.sql("CHECKPOINT")
    per_s = grown(postgres_writer.PROBE, target, before, name="checkpoints_requested_per_s", least=0.1)
    per_s = grown(postgres_writer.PROBE, target, before, name="buffers_checkpoint_per_s", least=1)
    per_s = grown(postgres_writer.PROBE, target, before, name="buffers_allocated_per_s", least=1)
    assert number(per_s, "checkpoint_write_ratio") >= 0
    assert ("buffers_backend_per_s" in per_s) is (each_postgres.server.version[0] < 17) or not per_s[
        "buffers_backend_per_s"
    ]


def test_what_is_read_and_extended_is_told_in_bytes(each_postgres: PostgresDatabase) -> None:
    target = postgres_target(each_postgres)
    before = postgres_io.read(target)
    each_postgres.sql("CREATE TABLE orders AS SELECT repeat('x', 1000) FROM generate_series(1, 8000)")
    if each_postgres.server.version[0] >= 16:
        until(
            lambda: postgres_io.read(target), lambda seen: _extended_bytes(seen) - _extended_bytes(before) > 5_000_000
        )
    now = postgres_io.read(target)
    per_s = rates(postgres_io.PROBE, now, before)
    assert number(per_s, "io_read_bytes_per_s") >= 0
    assert number(per_s, "io_read_ratio") >= 0
    if each_postgres.server.version[0] >= 16:
        assert number(per_s, "io_extend_bytes_per_s[client backend]") > 500_000
        assert number(per_s, "io_extend_bytes_per_s") >= number(per_s, "io_extend_bytes_per_s[client backend]")
        assert number(now, "io_write_total_bytes") >= 0
    else:
        assert now["io_extend_total_bytes"] is None


def _extended_bytes(seen: Mapping[str, Value]) -> float:
    return number(seen, "io_extend_total_bytes[client backend]")


def test_a_slot_that_nobody_reads_is_told_with_the_wal_it_keeps(each_postgres: PostgresDatabase) -> None:
    target = postgres_target(each_postgres)
    none = postgres_replication.read(target)
    assert (none["slots_count"], none["slots_inactive_count"], none["slot_retained_bytes"]) == (0, 0, 0)
    each_postgres.sql("SELECT pg_create_physical_replication_slot('left_behind', true)")
    try:
        each_postgres.sql("CREATE TABLE orders AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)")
        seen = postgres_replication.read(target)
    finally:
        each_postgres.sql("SELECT pg_drop_replication_slot('left_behind')")
    assert (seen["slots_count"], seen["slots_inactive_count"]) == (1, 1)
    assert number(seen, "slot_retained_bytes[left_behind]") > 10_000
    assert seen["slot_retained_bytes"] == seen["slot_retained_bytes[left_behind]"]


def test_tables_and_indexes_are_told_with_their_size(each_postgres: PostgresDatabase) -> None:
    each_postgres.sql('CREATE TABLE "or\u202eders\n" (id int PRIMARY KEY, note text)')
    each_postgres.sql("CREATE TABLE mails AS SELECT g AS id, repeat('x', 1000) AS note FROM generate_series(1, 2000) g")
    each_postgres.sql("DELETE FROM mails WHERE id <= 1000")
    each_postgres.sql("VACUUM mails")
    each_postgres.sql("DELETE FROM mails WHERE id <= 1500")
    seen = until(
        lambda: postgres_tables.read(postgres_target(each_postgres)),
        lambda seen: number(seen, "dead_rows_ratio[public.mails]") > 0.3,
    )
    assert 2_000_000 < number(seen, "table_bytes[public.mails]") < 4_000_000
    assert number(seen, "dead_rows_ratio[public.mails]") == pytest.approx(0.5, abs=0.1)
    assert 0 < number(seen, "vacuum_age_s[public.mails]") < 60
    assert "table_bytes[public.or\\u202eders\\n]" in seen
    assert "vacuum_age_s[public.or\\u202eders\\n]" not in seen
    assert "index_bytes[public.or\\u202eders\\n_pkey]" in seen


def test_of_many_tables_the_largest_fifty_are_told(postgres_database: PostgresDatabase) -> None:
    for count in range(55):
        postgres_database.sql(f"CREATE TABLE small_{count} (id int PRIMARY KEY)")
    postgres_database.sql("CREATE TABLE large AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)")
    postgres_database.sql("ANALYZE large")
    seen = postgres_tables.read(postgres_target(postgres_database))
    assert sum(bare(name) == "table_bytes" for name in seen) == 50
    assert sum(bare(name) == "index_bytes" for name in seen) == 50
    assert "table_bytes[public.large]" in seen


def test_a_table_that_is_held_costs_its_own_size_only(postgres_database: PostgresDatabase) -> None:
    postgres_database.sql("CREATE TABLE mails (id int)")
    with postgres_database.connect() as holder:
        postgres_database.sql("CREATE TABLE orders (id int)")
        holder.execute("BEGIN; LOCK TABLE orders")
        seen = postgres_tables.read(postgres_target(postgres_database))
        holder.execute("ROLLBACK")
    assert seen["table_bytes[public.mails]"] == 0
    assert "table_bytes[public.orders]" not in seen


def test_the_oldest_snapshot_and_the_age_of_databases_are_told(each_postgres: PostgresDatabase) -> None:
    target = postgres_target(each_postgres)
    each_postgres.sql("CREATE TABLE orders (id int)")
    with each_postgres.connect() as reader:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM orders")
        for _ in range(5):
            each_postgres.sql("INSERT INTO orders VALUES (1)")
        seen = postgres_vacuum.read(target)
        reader.execute("ROLLBACK")
    assert number(seen, "vacuum_horizon_age_count") >= 5
    assert number(postgres_vacuum.read(target), "vacuum_horizon_age_count") < 5
    assert number(seen, f"database_xid_age_count[{each_postgres.name}]") >= 5
    assert f"database_multixact_age_count[{each_postgres.name}]" in seen
    assert (seen["vacuums_running_count"], seen["vacuum_workers_max_count"]) == (0, 3)


def test_a_vacuum_that_runs_is_counted(each_postgres: PostgresDatabase) -> None:
    each_postgres.sql("CREATE TABLE orders AS SELECT repeat('x', 1000) AS note FROM generate_series(1, 5000)")
    with each_postgres.connect() as slow:
        slow.execute("SET vacuum_cost_delay = 100")
        slow.execute("SET vacuum_cost_limit = 1")
        thread = threading.Thread(target=_vacuum_until_cancelled, args=(slow,))
        thread.start()
        time.sleep(0.5)
        seen = postgres_vacuum.read(postgres_target(each_postgres))
        slow.cancel()
        thread.join()
    assert (seen["vacuums_running_count"], seen["vacuums_automatic_count"]) == (1, 0)


def _vacuum_until_cancelled(session: psycopg.Connection[tuple[object, ...]]) -> None:
    with pytest.raises(psycopg.errors.QueryCanceled):
        session.execute("VACUUM orders")


def test_sequences_are_told_by_the_type_of_their_column(each_postgres: PostgresDatabase) -> None:
    each_postgres.sql("CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY, small smallserial, large bigserial)")
    each_postgres.sql("SELECT setval('orders_id_seq', 1900000000), setval('orders_large_seq', 1900000000)")
    each_postgres.sql("SELECT setval('orders_small_seq', 32767)")
    each_postgres.sql("CREATE SEQUENCE downwards INCREMENT -1 MINVALUE -100 START -1")
    each_postgres.sql("SELECT setval('downwards', -50)")
    each_postgres.sql("CREATE SEQUENCE never_used")
    each_postgres.sql("CREATE SEQUENCE round_and_round MAXVALUE 10 CYCLE")
    each_postgres.sql("SELECT nextval('round_and_round')")
    seen = postgres_sequences.read(postgres_target(each_postgres))
    assert seen == {
        "sequence_ratio[public.orders_small_seq]": 1.0,
        "sequence_ratio[public.orders_id_seq]": pytest.approx(0.885, abs=0.001),
        "sequence_ratio[public.downwards]": 0.5,
        "sequence_ratio[public.orders_large_seq]": pytest.approx(0, abs=0.001),
    }


def test_sequences_of_others_are_left_out(each_postgres: PostgresDatabase, poor: str) -> None:
    each_postgres.sql("CREATE TABLE orders (id serial)")
    each_postgres.sql("INSERT INTO orders DEFAULT VALUES")
    assert postgres_sequences.read(postgres_target(each_postgres, username=poor)) == {}


def test_settings_that_were_made_are_told_and_a_change_shows(each_postgres: PostgresDatabase) -> None:
    target = postgres_target(each_postgres)
    before = postgres_settings.read(target)
    assert before["max_connections"] == "60"
    assert "work_mem" not in before
    assert "application_name" not in before
    assert "default_transaction_read_only" not in before
    each_postgres.sql("ALTER SYSTEM SET work_mem = '7MB'")
    each_postgres.sql("ALTER SYSTEM SET max_connections = 61")
    try:
        each_postgres.sql("SELECT pg_reload_conf()")
        time.sleep(0.5)
        now = postgres_settings.read(target)
    finally:
        each_postgres.sql("ALTER SYSTEM RESET ALL")
        each_postgres.sql("SELECT pg_reload_conf()")
    assert {name: value for name, value in now.items() if before.get(name) != value} == {
        "work_mem": "7MB",
        "max_connections": "60 (another value waits for a restart)",
    }


def test_what_may_be_a_secret_shows_that_it_changed_and_no_more(each_postgres: PostgresDatabase) -> None:
    target = postgres_target(each_postgres)
    told = []
    try:
        for secret in ("correct-horse", "battery-staple"):
            each_postgres.sql(f"ALTER SYSTEM SET primary_conninfo = 'host=h password={secret}'")
            each_postgres.sql("SELECT pg_reload_conf()")
            time.sleep(0.5)
            told.append(postgres_settings.read(target))
    finally:
        each_postgres.sql("ALTER SYSTEM RESET ALL")
        each_postgres.sql("SELECT pg_reload_conf()")
    first, second = told
    assert first["primary_conninfo"] != second["primary_conninfo"]
    assert "horse" not in str(first)
    assert "staple" not in str(second)


def test_every_probe_answers_an_account_with_no_rights(each_postgres: PostgresDatabase, poor: str) -> None:
    REMEMBERED.forget()
    target = postgres_target(each_postgres, username=poor)
    seen = {probe.PROBE.key: probe.read(target) for probe in ALL}
    assert seen["postgres_waits"] == {}
    assert seen["postgres_stats"]["clients_by_state_count[active]"] is None
    assert number(seen["postgres_stats"], "clients_count") >= 1
    assert number(seen["postgres_sources"], f"clients_by_user_count[{poor}]") == 1
    assert not [name for name in seen["postgres_sources"] if bare(name) == "clients_by_application_count"]
    assert seen["postgres_vacuum"]["vacuum_horizon_age_count"] is None
    assert number(seen["postgres_wal"], "wal_total_bytes") > 0


def test_reading_changes_nothing_and_waits_for_nobody(each_postgres: PostgresDatabase) -> None:
    """A table that somebody holds, in the middle of a transaction, is no reason to wait."""
    each_postgres.sql("CREATE TABLE orders (id int)")
    written = (
        "SELECT sum(tup_inserted + tup_updated + tup_deleted) FROM pg_stat_database WHERE datname = current_database()"
    )
    time.sleep(1.1)
    before = each_postgres.sql(written)
    with each_postgres.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE orders")
        for probe in ALL:
            begun = time.monotonic()
            probe.read(postgres_target(each_postgres))
            assert time.monotonic() - begun < 0.9, probe.PROBE.key
        holder.execute("ROLLBACK")
    assert each_postgres.sql(written) == before

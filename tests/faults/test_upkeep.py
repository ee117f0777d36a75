"""Workers are killed with -9 in the middle of upkeep, and servers stop: the run closes, and what is left is told and removed.

Whatever the point: no row and no other index was touched, the former index is in use, nothing works on for a run that has ended,
and what a rebuild left is found by the next plan and goes with a click.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from apps.accounts.models import Operator
from apps.engine.connections.postgres import forget_connections
from apps.engine.embedded import binaries
from apps.engine.embedded.postgres import EmbeddedPostgres
from apps.operations import reaping
from apps.operations.models import AuditEntry, Run, ServerLock
from apps.operations.planning import content_of
from tests.faults.conftest import OwnRedis, Worker, silent, until
from tests.faults.test_killed import submitted
from tests.operations.door import Door, actor_for, register_redis
from tests.real_servers import CACHE, PostgresDatabase, PostgresServer
from tests.upkeep.maintained import at, at_work, furnish, indexes, params, slow_index, slow_vacuum

pytestmark = pytest.mark.django_db(transaction=True)
ENDS_WITHIN_S = 20  # looked at every 2 s by PostgreSQL itself


def rows_of(database: PostgresDatabase, table: str) -> object:
    return database.sql(f"SELECT count(*), md5(string_agg(t::text, ',' ORDER BY id)) FROM {table} t")


def reaped(run: Run) -> Run:
    """A minute later: the dead worker's lock on the server has ended as well."""
    run.refresh_from_db()
    ServerLock.objects.update(expires_at=timezone.now())
    if run.is_open:
        silent(run)
        assert reaping.reap() == 1
        run.refresh_from_db()
    return run


def ended_well_told(run: Run) -> None:
    assert AuditEntry.objects.filter(run_number=run.pk, phase="outcome").count() == 1
    if run.state == "unknown":
        assert "once nobody waits for it" in run.outcome and "Look at the server" in run.outcome


def killed_at(worker: Worker, run: Run, point: int) -> None:
    killed = worker(run, at=point)
    assert killed.returncode in (-signal.SIGKILL, 0), killed.stderr


POINTS = range(1, 41, 3)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("key", ["upkeep.vacuum", "upkeep.analyze_table"])
def test_killed_at_any_point_the_table_is_whole_and_can_be_done_again(
    key: str, point: int, postgres_database: PostgresDatabase, alice: Operator, worker: Worker
) -> None:
    furnish(postgres_database, "orders", "beside", rows=400)
    before, door = rows_of(postgres_database, "orders"), at(postgres_database, alice)
    beside = rows_of(postgres_database, "beside")
    run = submitted(door, key, **params(postgres_database, "orders"))
    killed_at(worker, run, point)
    reaped(run)
    assert run.state in ("unknown", "done"), run.outcome
    ended_well_told(run)
    until(lambda: not at_work(postgres_database, run), within_s=ENDS_WITHIN_S)
    assert rows_of(postgres_database, "orders") == before and rows_of(postgres_database, "beside") == beside
    assert door.does(key, **params(postgres_database, "orders")).state == "done"


@pytest.mark.parametrize("point", POINTS)
def test_a_rebuild_killed_at_any_point_leaves_the_former_index_and_a_leftover_that_is_found(
    point: int, postgres_database: PostgresDatabase, alice: Operator, worker: Worker
) -> None:
    furnish(postgres_database, "orders", "beside", rows=400)
    before, rows, door = indexes(postgres_database), rows_of(postgres_database, "orders"), at(postgres_database, alice)
    run = submitted(door, "upkeep.reindex", **params(postgres_database, "x_0_orders"))
    killed_at(worker, run, point)
    reaped(run)
    assert run.state in ("unknown", "done"), run.outcome
    ended_well_told(run)
    until(lambda: not at_work(postgres_database, run), within_s=ENDS_WITHIN_S)
    found_and_removed(postgres_database, door, "x_0_orders")
    now = indexes(postgres_database)
    assert now.keys() == before.keys() and all(valid for _, valid in now.values())
    assert all(now[name] == before[name] for name in before if name != "x_0_orders")
    assert rows_of(postgres_database, "orders") == rows


def found_and_removed(database: PostgresDatabase, door: Door, index: str) -> int:
    """What is invalid is in the next plan, and each goes with its own click. Gives how many there were."""
    left = [name for name, (_, valid) in indexes(database).items() if not valid]
    said = content_of(door.plans("upkeep.reindex", **params(database, index)))
    assert [row[0].name for row in said.sample.rows] == [name.encode() for name in left] if said.sample else not left
    for name in left:
        assert door.does("upkeep.drop_leftover", **params(database, name)).state == "done"
    return len(left)


def is_at_work(database: PostgresDatabase, words: str) -> Callable[[], bool]:
    return lambda: any(query.startswith(words) for _, query in at_work(database))


@pytest.mark.parametrize(
    ("key", "name", "words"),
    [
        ("upkeep.vacuum", "orders", "VACUUM"),
        ("upkeep.analyze_table", "orders", "ANALYZE"),
        ("upkeep.reindex", "slow_one", "REINDEX"),
    ],
)
def test_killed_while_the_server_works_the_server_ends_it_too(
    key: str, name: str, words: str, each_postgres: PostgresDatabase, alice: Operator, worker: Worker
) -> None:
    furnish(each_postgres, "orders")
    slow_index(each_postgres, "orders")
    slow_vacuum(each_postgres)
    before, rows, door = indexes(each_postgres), rows_of(each_postgres, "orders"), at(each_postgres, alice)
    run = submitted(door, key, **params(each_postgres, name), pace="full")
    process = worker.start(run)
    try:
        until(is_at_work(each_postgres, words))
        if key == "upkeep.reindex":
            until(lambda: f"{name}_ccnew" in indexes(each_postgres))
    finally:
        process.kill()
        process.communicate()
    assert is_at_work(each_postgres, words)(), "it works on for a moment"
    until(lambda: not at_work(each_postgres, run), within_s=ENDS_WITHIN_S)
    reaped(run)
    assert run.state == "unknown" and "ends the statement within seconds" in run.outcome
    each_postgres.sql(f"ALTER DATABASE {each_postgres.name} SET test.slow_s = '0'")
    if key == "upkeep.reindex":
        assert found_and_removed(each_postgres, door, name) == 1
    assert indexes(each_postgres) == before and rows_of(each_postgres, "orders") == rows


def test_a_worker_that_slept_through_its_lock_cancels_what_it_began_and_writes_nothing_down(
    postgres_database: PostgresDatabase, alice: Operator, worker: Worker
) -> None:
    """Suspended while the server works, taken for dead; as it wakes up its statement ends, and the outcome stays."""
    furnish(postgres_database, "orders")
    slow_vacuum(postgres_database)
    run = submitted(at(postgres_database, alice), "upkeep.vacuum", **params(postgres_database, "orders"), pace="full")
    process = worker.start(run)
    try:
        until(is_at_work(postgres_database, "VACUUM"))
        process.send_signal(signal.SIGSTOP)
        reaped(run)
        assert run.state == "unknown"
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        process.kill()
    assert not at_work(postgres_database, run)
    run.refresh_from_db()
    assert run.state == "unknown"
    assert AuditEntry.objects.filter(run_number=run.pk, phase="outcome").count() == 1


# -- the server stops --------------------------------------------------------------------------------------------------


@pytest.fixture
def own_postgres() -> Iterator[PostgresDatabase]:
    """A PostgreSQL of this test alone, that it may stop."""
    folder = Path(tempfile.mkdtemp(prefix="sb-own-"))
    folder.chmod(0o711)
    embedded = EmbeddedPostgres(binaries.find_postgres(CACHE), folder / "server", settings={}, durable=False)
    try:
        with embedded:
            server = PostgresServer(embedded=embedded)
            server.sql("CREATE DATABASE shop")
            yield PostgresDatabase(server=server, name="shop")
    finally:
        forget_connections()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize(("key", "name"), [("upkeep.vacuum", "orders"), ("upkeep.reindex", "slow_one")])
def test_a_server_that_stops_midway_ends_the_run_and_is_whole_afterwards(
    key: str, name: str, own_postgres: PostgresDatabase, alice: Operator, worker: Worker
) -> None:
    furnish(own_postgres, "orders")
    slow_index(own_postgres, "orders")
    slow_vacuum(own_postgres)
    before, rows, door = indexes(own_postgres), rows_of(own_postgres, "orders"), at(own_postgres, alice)
    run = submitted(door, key, **params(own_postgres, name), pace="full")
    process = worker.start(run)
    try:
        until(lambda: bool(at_work(own_postgres, run)))
        if key == "upkeep.reindex":
            until(lambda: f"{name}_ccnew" in indexes(own_postgres))
        own_postgres.server.embedded.stop()
        process.communicate(timeout=60)
    finally:
        process.kill()
    run.refresh_from_db()
    assert run.state in ("failed", "partial", "unknown") and run.finished_at, run.outcome
    own_postgres.server.embedded.start()
    forget_connections()
    own_postgres.sql("ALTER DATABASE shop SET test.slow_s = '0'")
    if key == "upkeep.reindex":
        assert "Left behind" in run.outcome
        assert found_and_removed(own_postgres, door, name) == 1
    assert indexes(own_postgres) == before and rows_of(own_postgres, "orders") == rows


# -- Redis -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", range(1, 15))
def test_a_snapshot_killed_at_any_point_is_told_and_no_key_is_touched(
    point: int, own_redis: OwnRedis, alice: Operator, worker: Worker
) -> None:
    server = own_redis()
    for n in range(50):
        server.command("SET", f"k:{n}", "v")
    door = Door(actor=actor_for(alice), server=register_redis(server))
    run = submitted(door, "upkeep.bgsave")
    killed_at(worker, run, point)
    reaped(run)
    assert run.state in ("unknown", "done"), run.outcome
    if run.state == "unknown":
        assert "goes on by itself" in run.outcome
    until(lambda: not server.command("INFO", "persistence")["rdb_bgsave_in_progress"])
    assert server.command("DBSIZE") == 50
    assert door.does("upkeep.bgsave").state == "done"


def test_a_redis_that_stops_midway_leaves_the_snapshot_unknown(
    own_redis: OwnRedis, alice: Operator, worker: Worker
) -> None:
    server = own_redis()
    for n in range(200):
        server.command("SET", f"k:{n}", "v")
    server.command("CONFIG", "SET", "rdb-key-save-delay", "50000")
    run = submitted(Door(actor=actor_for(alice), server=register_redis(server)), "upkeep.bgsave")
    process = worker.start(run)
    try:
        until(lambda: server.command("INFO", "persistence")["rdb_bgsave_in_progress"])
        server.embedded.stop()
        process.communicate(timeout=60)
    finally:
        process.kill()
    run.refresh_from_db()
    assert run.state == "unknown" and "not known" in run.outcome, run.outcome

"""Backups while everything fails: a worker killed at twenty points, a server that stops midway, a disk that gets full.

Whatever the point: what is listed is whole, what is not whole is not listed, and what was left behind goes.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.backups import folder
from apps.operations import reaping
from apps.operations.models import AuditEntry, Run
from tests.backups.kept import everything, only_backup
from tests.faults.conftest import OwnRedis, Worker, silent, until
from tests.faults.test_killed import POINTS, resumed, submitted
from tests.operations.door import Door, actor_for, register_postgres, register_redis
from tests.operations.scenario import postgres_digest, redis_digest
from tests.real_servers import PostgresDatabase, RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
RDB, DUMP = "backups.take_rdb", "backups.take_dump"
MB = 1_000_000
# About as many as a run of this size passes.
RDB_POINTS, DUMP_POINTS = 60, 90


def furnish_redis(server: RedisServer) -> None:
    """Some megabytes that do not compress away: several frames of the sealed file."""
    for n in range(40):
        server.command("SET", f"noise:{n}", _noise(n))


def _noise(n: int) -> bytes:
    return random.Random(n).randbytes(100_000)


def furnish_postgres(database: PostgresDatabase) -> None:
    database.sql(
        "CREATE TABLE noise AS SELECT n, gen_random_uuid()::text || gen_random_uuid()::text AS t FROM generate_series(1, 60000) n"
    )


def spread(points: int, number: int) -> int:
    return 1 + round(number * (points - 1) / (POINTS - 1))


def whole_or_absent(server: str) -> int:
    """Every backup that is listed is whole, to its last byte. Returns how many there are."""
    found = folder.listed(server)
    for backup in found:
        folder.check(backup)
    return len(found)


@pytest.mark.parametrize("number", range(POINTS))
def test_take_rdb_killed_leaves_a_whole_backup_or_none_and_the_next_worker_takes_one(
    number: int, redis_clean: RedisServer, alice: Operator, worker: Worker
) -> None:
    furnish_redis(redis_clean)
    before = redis_digest(redis_clean)
    run = submitted(Door(actor=actor_for(alice), server=register_redis(redis_clean)), RDB)
    _killed_and_resumed(run, worker, server="cache", at=spread(RDB_POINTS, number))
    assert redis_digest(redis_clean) == before
    until(lambda: redis_clean.client.info("replication")["connected_slaves"] == 0)


@pytest.mark.parametrize("number", range(POINTS))
def test_take_dump_killed_leaves_a_whole_backup_or_none_and_the_next_worker_takes_one(
    number: int, postgres_database: PostgresDatabase, alice: Operator, worker: Worker
) -> None:
    furnish_postgres(postgres_database)
    before = postgres_digest(postgres_database)
    run = submitted(Door(actor=actor_for(alice), server=register_postgres(postgres_database)), DUMP)
    _killed_and_resumed(run, worker, server="shop", at=spread(DUMP_POINTS, number))
    assert postgres_digest(postgres_database) == before
    mine = f"SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'signalbox run {run.pk}%'"
    until(lambda: postgres_database.sql(mine) == [])


def _killed_and_resumed(run: Run, worker: Worker, *, server: str, at: int) -> None:
    killed = worker(run, at=at)
    assert killed.returncode in (-signal.SIGKILL, 0), killed.stderr
    assert whole_or_absent(server) <= 1
    run = resumed(worker, run)
    assert run.state == "done", run.outcome
    assert whole_or_absent(server) == 1
    folder.clean()
    assert [path for path in everything() if path.startswith(".unfinished/")] == [], "what was left is gone"
    assert AuditEntry.objects.filter(run_number=run.pk, phase="outcome").count() == 1


def test_a_worker_that_was_taken_for_dead_puts_nothing_in_place_when_it_wakes_up(
    redis_clean: RedisServer, alice: Operator, worker: Worker
) -> None:
    furnish_redis(redis_clean)
    run = submitted(Door(actor=actor_for(alice), server=register_redis(redis_clean)), RDB)
    # Before its stream: a reader that stands still keeps a Redis from its next fork until repl-timeout, a minute.
    with worker.paused(run, at=20):
        silent(run)
        assert reaping.reap() == 1
        assert worker(run).returncode == 0
        run.refresh_from_db()
        assert run.state == "done", run.outcome
        first = only_backup("cache")
    assert only_backup("cache").name == first.name and whole_or_absent("cache") == 1
    assert [path for path in everything() if path.startswith(".unfinished/")] == []


def _ends_with_nothing(run: Run, server: str) -> None:
    run.refresh_from_db()
    assert run.state == "failed", run.outcome
    assert "Nothing of it was kept" in run.outcome
    assert whole_or_absent(server) == 0 and everything() == [".unfinished"]


def test_a_redis_that_stops_midway_ends_the_run_with_nothing_kept(
    own_redis: OwnRedis, alice: Operator, worker: Worker
) -> None:
    server = own_redis(**{"repl-diskless-sync-delay": "600"})
    furnish_redis(server)
    run = submitted(Door(actor=actor_for(alice), server=register_redis(server)), RDB)
    process = worker.start(run)
    until(lambda: "prepares" in Run.objects.get(pk=run.pk).note)
    server.embedded.stop()
    assert process.wait(60) == 0
    _ends_with_nothing(run, "cache")


def test_a_postgres_session_that_is_ended_midway_ends_the_run_with_nothing_kept(
    postgres_database: PostgresDatabase, alice: Operator, worker: Worker
) -> None:
    furnish_postgres(postgres_database)
    run = submitted(Door(actor=actor_for(alice), server=register_postgres(postgres_database)), DUMP)
    name = f"signalbox run {run.pk} dump"
    with postgres_database.connect() as other:
        other.autocommit = False
        other.execute("LOCK TABLE noise IN ACCESS EXCLUSIVE MODE")
        process = worker.start(run)
        waits = "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
        until(lambda: bool(postgres_database.sql(waits, name)))
        postgres_database.sql(f"SELECT pg_terminate_backend(pid) FROM ({waits}) w", name)
        assert process.wait(60) == 0
    _ends_with_nothing(run, "shop")


@pytest.mark.parametrize("key", [RDB, DUMP])
def test_a_disk_that_gets_full_ends_the_run_with_nothing_kept(
    key: str, request: pytest.FixtureRequest, alice: Operator, worker: Worker
) -> None:
    place: Any = request.getfixturevalue("redis_clean" if key == RDB else "postgres_database")
    furnish: Callable[[Any], None] = furnish_redis if key == RDB else furnish_postgres
    furnish(place)
    server = register_redis(place) if key == RDB else register_postgres(place)
    run = submitted(Door(actor=actor_for(alice), server=server), key)
    assert worker(run, file_bytes=2 * MB).returncode == 0
    _ends_with_nothing(run, server.key)

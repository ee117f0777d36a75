"""Pages of backups, and which programs fit which server."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.test import Client

from apps.accounts.models import Operator
from apps.backups.reads.fleet import prospect
from apps.backups.reads.programs import Program, fit_postgres, fit_redis, programs
from apps.backups.reads.store import store_of
from apps.servers.models import Server
from tests.backups.kept import put
from tests.real_servers import PostgresDatabase, RedisServer
from tests.targets import redis_target

AsOperator = Callable[[Operator], Client]
Register = Callable[..., Server]


def dump(*version: int) -> Program:
    return Program(name="pg_dump", path=Path("/somewhere/pg_dump"), version=version)


def test_the_oldest_pg_dump_that_is_new_enough_fits() -> None:
    found = (dump(15, 3), dump(18, 1), dump(16, 4))
    fit = fit_postgres(found, major=16)
    assert fit.program == dump(16, 4)
    assert fit_postgres(found, major=17).program == dump(18, 1)


def test_a_server_newer_than_every_pg_dump_says_so() -> None:
    fit = fit_postgres((dump(15, 3),), major=18)
    assert not fit.fits
    assert "15.3" in fit.reason
    assert "18 or newer" in fit.reason
    assert "no pg_dump" in fit_postgres((), major=18).reason


def test_an_older_server_cannot_prove_a_newer_rdb() -> None:
    found = (Program(name="redis-server", path=Path("/x/redis-server"), version=(7, 0, 15)),)
    assert fit_redis(found, version=(6, 2, 14)).fits
    assert fit_redis(found, version=(7, 0, 99)).fits
    assert not fit_redis(found, version=(7, 2, 0)).fits


def test_the_families_read_each_other_up_to_where_they_parted() -> None:
    valkey = (Program(name="valkey-server", path=Path("/x/valkey-server"), version=(8, 0, 1)),)
    newer = (Program(name="redis-server", path=Path("/x/redis-server"), version=(8, 2, 0)),)
    assert fit_redis(valkey, version=(7, 2, 4)).fits
    assert not fit_redis(valkey, version=(7, 4, 0)).fits
    assert fit_redis(valkey, version=(8, 0, 1), is_valkey=True).fits
    assert not fit_redis(newer, version=(8, 0, 1), is_valkey=True).fits


def test_a_server_is_named_as_what_it_is(each_redis: RedisServer) -> None:
    told = prospect(redis_target(each_redis), programs=())
    binary = each_redis.embedded.binary
    assert told.version_text == f"{binary.flavour.title()} {'.'.join(map(str, binary.version))}"


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs a redis-server in PATH")
def test_programs_of_this_machine_are_found_with_their_versions() -> None:
    names = {program.name: program for program in programs()}
    assert names["redis-server"].version >= (6, 0)


def test_a_program_that_does_not_run_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("pg_dump", "#!/bin/sh\nexit 3\n"), ("psql", "not a program")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not [program for program in programs() if program.path.parent == tmp_path]


def test_looking_for_room_makes_no_folder(tmp_path: Path) -> None:
    store = store_of(tmp_path / "not" / "there")
    assert store.free_bytes > 0
    assert store.is_writable
    assert not store.exists
    assert list(tmp_path.iterdir()) == []


def test_the_fleet_says_who_is_backed_up_and_who_is_not(
    redis_clean: RedisServer, registered_redis: Register, postgres_database: PostgresDatabase, private_folders: None,
    registered_postgres: Register, bob: Operator, charlie: Operator, as_operator: AsOperator,
) -> None:  # fmt: skip
    registered_redis(redis_clean)
    registered_postgres(postgres_database)
    Server.objects.create(key="lost", kind="redis", environment="dev", addresses=[{"host": "/nowhere", "port": 0}])
    page = as_operator(bob).get("/backups/").content.decode()
    assert "No server has a whole backup" in page
    assert f"Redis {'.'.join(map(str, redis_clean.version))}" in page
    assert "reads PostgreSQL" in page or "needs version" in page
    assert "/nowhere" in page
    assert "<button" not in page.split('id="content"')[1].split("</main>")[0]
    assert "lost" not in as_operator(charlie).get("/backups/").content.decode()
    put("cache")
    (put("orders").folder / "manifest.json").unlink()
    page = as_operator(bob).get("/backups/").content.decode()
    assert "1 of 3 servers have a whole backup" in page and "the newest is broken" in page


def test_a_backup_that_is_older_than_the_server_may_lose_is_told(
    redis_clean: RedisServer, registered_redis: Register, private_folders: None, bob: Operator, as_operator: AsOperator
) -> None:
    registered_redis(redis_clean, rpo_s=3600)
    put("cache", at=datetime.now(UTC) - timedelta(hours=2))
    assert "too long ago" in as_operator(bob).get("/servers/cache/backups/").content.decode()
    put("cache")
    assert "too long ago" not in as_operator(bob).get("/servers/cache/backups/").content.decode()


def test_a_server_that_is_gone_still_lists_its_backups(
    db: None, private_folders: None, alice: Operator, as_operator: AsOperator
) -> None:
    """That is the day they are needed."""
    Server.objects.create(key="gone", kind="redis", environment="dev", addresses=[{"host": "/nowhere", "port": 1}])
    put("gone")
    page = as_operator(alice).get("/servers/gone/backups/").content.decode()
    assert "gone was backed up" in page and "backups.download_rdb" in page


def test_a_server_page_says_what_a_backup_will_need(
    each_postgres: PostgresDatabase,
    registered_postgres: Register,
    bob: Operator,
    charlie: Operator,
    as_operator: AsOperator,
) -> None:
    registered_postgres(each_postgres)
    page = as_operator(bob).get("/servers/orders/backups/").content.decode()
    assert f"PostgreSQL {each_postgres.server.version[0]}" in page
    assert "pg_read_all_data" in page
    assert as_operator(charlie).get("/servers/orders/backups/").status_code == 404


def test_a_stopped_server_still_has_its_page(db: None, bob: Operator, as_operator: AsOperator) -> None:
    Server.objects.create(key="gone", kind="postgres", environment="dev", addresses=[{"host": "/nowhere", "port": 1}])
    answer = as_operator(bob).get("/servers/gone/backups/")
    assert answer.status_code == 200
    assert b"notice-crit" in answer.content

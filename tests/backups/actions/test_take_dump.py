"""A database is dumped, restored into another one by pg_restore, and is the same."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import connection

from apps.accounts.models import Operator
from apps.backups.actions import take_dump
from apps.engine.connections import shell
from apps.engine.contracts.action import Refused
from apps.engine.target import Profile
from apps.operations import execution
from apps.operations.models import Run
from apps.operations.planning import content_of
from apps.servers.models import Credential
from tests.backups.kept import everything, only_backup, whole
from tests.faults.conftest import until
from tests.operations.door import Door, actor_for, register_postgres
from tests.operations.scenario import Scenario
from tests.real_servers import PostgresDatabase

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "backups.take_dump"
HOSTILE = [
    "-x",
    "a b",
    'o\'brien "q" \\',
    "dbname=postgres host=evil.example.org",
    "postgresql://evil.example.org/x",
    "ünïcode",
]


def _prepare(database: PostgresDatabase) -> dict[str, object]:
    database.sql("CREATE TABLE orders (id int PRIMARY KEY, note text)")
    database.sql("INSERT INTO orders SELECT n, 'order ' || n FROM generate_series(1, 500) n")
    return {}


def _changed(database: PostgresDatabase) -> bool:
    return whole(only_backup("shop"), "database.dump").startswith(b"PGDMP")


SCENARIO = Scenario(prepare=_prepare, changed=_changed)


@pytest.fixture(autouse=True)
def own_programs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs of the very version under test, as an installation has them in PATH."""
    for name in ("each_postgres", "postgres_database"):
        if name in request.fixturenames:
            folder = request.getfixturevalue(name).server.embedded.binaries.bin_dir
            monkeypatch.setenv("PATH", str(folder), prepend=":")


def furnish(database: PostgresDatabase) -> None:
    _prepare(database)
    database.sql("CREATE INDEX ON orders (note)")
    database.sql('CREATE SCHEMA "we ird"; CREATE TABLE "we ird"."ta;ble" (b bytea, j jsonb)')
    database.sql('INSERT INTO "we ird"."ta;ble" VALUES (\'\\x00ff\', \'{"a": [1, null]}\')')
    database.sql("CREATE VIEW dear AS SELECT * FROM orders WHERE id > 100")
    database.sql("CREATE SEQUENCE numbers START 41")
    database.sql("SELECT nextval('numbers')")


def content(database: PostgresDatabase) -> list[object]:
    return [
        database.sql("SELECT count(*), md5(string_agg(t::text, ',' ORDER BY id)) FROM orders t"),
        database.sql('SELECT b::text, j::text FROM "we ird"."ta;ble"'),
        database.sql("SELECT count(*) FROM dear"),
        database.sql("SELECT last_value, is_called FROM numbers"),
        database.sql("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"),
    ]


@pytest.fixture
def beside(each_postgres: PostgresDatabase) -> Iterator[PostgresDatabase]:
    """An empty database on the same server."""
    name = each_postgres.server.create_database(f"beside_{secrets.token_hex(4)}")
    yield PostgresDatabase(server=each_postgres.server, name=name)
    each_postgres.server.drop_database(name)


def restore(database: PostgresDatabase, archive: bytes, folder: Path) -> None:
    server = database.server
    path = folder / "database.dump"
    path.write_bytes(archive)
    where = f"host={server.socket_dir} port={server.port} user=postgres dbname={database.name}"
    pg_restore = server.embedded.binaries.bin_dir / "pg_restore"
    shell.run([pg_restore, "--exit-on-error", "--dbname", where, path], timeout_s=60)


def test_what_was_dumped_is_restored_and_is_the_same(
    each_postgres: PostgresDatabase, beside: PostgresDatabase, alice: Operator, private_folders: None, tmp_path: Path
) -> None:
    furnish(each_postgres)
    before = content(each_postgres)
    run = Door(actor=actor_for(alice), server=register_postgres(each_postgres)).does(KEY)
    assert run.state == "done", run.outcome
    assert content(each_postgres) == before
    backup = only_backup("shop")
    assert backup.manifest is not None
    assert (backup.manifest.database, backup.manifest.by) == (each_postgres.name, "alice")
    if each_postgres.server.has_statement_statistics:
        beside.sql("DROP EXTENSION pg_stat_statements")
    restore(beside, whole(backup, "database.dump"), tmp_path)
    assert content(beside) == before
    assert b"CREATE ROLE postgres" in whole(backup, "roles.sql")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_a_name_whatever_it_looks_like(
    name: str, postgres_database: PostgresDatabase, alice: Operator, private_folders: None
) -> None:
    server = postgres_database.server
    server.create_database(name)
    hostile = PostgresDatabase(server=server, name=name)
    try:
        hostile.sql("CREATE TABLE only_here (id int)")
        run = Door(actor=actor_for(alice), server=register_postgres(hostile)).does(KEY)
        assert run.state == "done", run.outcome
        backup = only_backup("shop")
        assert backup.manifest is not None and backup.manifest.database == name
        assert b"only_here" in whole(backup, "database.dump") and b"CREATE ROLE" in whole(backup, "roles.sql")
    finally:
        server.drop_database(name)


def test_a_database_that_is_not_there_is_told_with_those_that_are(
    postgres_database: PostgresDatabase, alice: Operator
) -> None:
    at = Door(actor=actor_for(alice), server=register_postgres(postgres_database))
    with pytest.raises(Refused, match=f"There are .*{postgres_database.name}") as refused:
        at.plans(KEY, database="nowhere")
    assert refused.value.field == "database"


def _account(database: PostgresDatabase, *grants: str) -> str:
    name = f"dumper_{secrets.token_hex(4)}"
    database.sql(f"CREATE ROLE {name} LOGIN")
    for grant in grants:
        database.sql(grant.format(name))
    return name


def _forget(database: PostgresDatabase, name: str) -> None:
    database.sql(f"DROP OWNED BY {name}")
    database.sql(f"DROP ROLE {name}")


def test_the_right_that_is_documented_is_enough(
    each_postgres: PostgresDatabase, alice: Operator, private_folders: None
) -> None:
    furnish(each_postgres)
    name = _account(each_postgres, "GRANT pg_read_all_data TO {}")
    server = register_postgres(each_postgres)
    Credential.objects.keep(server, Profile.BACKUP, username=name, password="")
    try:
        run = Door(actor=actor_for(alice), server=type(server).objects.get()).does(KEY)
        assert run.state == "done", run.outcome
        assert b"order 500" in whole(only_backup("shop"), "database.dump")
    finally:
        _forget(each_postgres, name)


def test_an_account_that_may_not_read_the_passwords_gets_the_roles_without_and_it_is_said(
    each_postgres: PostgresDatabase, alice: Operator, private_folders: None
) -> None:
    """The owner of everything in the database, and of nothing else."""
    name = _account(each_postgres)
    each_postgres.sql(f"ALTER DATABASE {each_postgres.name} OWNER TO {name}")
    each_postgres.sql(f"CREATE TABLE mine (id int); ALTER TABLE mine OWNER TO {name}")
    each_postgres.sql(f"ALTER ROLE {name} PASSWORD 'a-telling-password'")
    server = register_postgres(each_postgres)
    Credential.objects.keep(server, Profile.BACKUP, username=name, password="")
    try:
        at = Door(actor=actor_for(alice), server=type(server).objects.get())
        assert "without passwords" in str(content_of(at.plans(KEY)).facts)
        run = at.does(KEY)
        assert run.state == "done", run.outcome
        backup = only_backup("shop")
        assert backup.manifest is not None and "no passwords" in str(backup.manifest.remarks)
        roles = whole(backup, "roles.sql")
        assert f"CREATE ROLE {name}".encode() in roles and b"SCRAM" not in roles
    finally:
        each_postgres.sql(f"ALTER DATABASE {each_postgres.name} OWNER TO postgres")
        _forget(each_postgres, name)


def test_what_the_account_may_not_read_blocks_the_plan(postgres_database: PostgresDatabase, alice: Operator) -> None:
    _prepare(postgres_database)
    name = _account(postgres_database, "GRANT CONNECT ON DATABASE " + postgres_database.name + " TO {}")
    server = register_postgres(postgres_database)
    Credential.objects.keep(server, Profile.BACKUP, username=name, password="")
    at = Door(actor=actor_for(alice), server=type(server).objects.get())
    try:
        blocked = content_of(at.plans(KEY)).blocked
        assert "public.orders" in str(blocked) and "pg_read_all_data" in str(blocked)
        postgres_database.sql(f"GRANT pg_read_all_data TO {name}")
        postgres_database.sql("ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
        assert "BYPASSRLS" in str(content_of(at.plans(KEY)).blocked)
    finally:
        _forget(postgres_database, name)


def test_a_server_newer_than_every_pg_dump_is_not_dumped(
    each_postgres: PostgresDatabase, alice: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    if each_postgres.server.version[0] == 15:
        pytest.skip("the machine has its pg_dump")
    monkeypatch.setenv("PATH", "/nowhere")
    at = Door(actor=actor_for(alice), server=register_postgres(each_postgres))
    assert "No pg_dump fits" in str(content_of(at.plans(KEY)).blocked)


def _in_a_thread(run: Run) -> threading.Thread:
    def work() -> None:
        try:
            execution.execute(run.pk)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def _said_by_processes() -> dict[int, str]:
    """Every process's words and environment."""
    found = {}
    for pid in filter(str.isdigit, (path.name for path in Path("/proc").iterdir())):
        with suppress(OSError):
            files = (Path("/proc", pid, name).read_bytes() for name in ("cmdline", "environ"))
            found[int(pid)] = "\n".join(content.decode("utf-8", "replace") for content in files)
    return found


def test_stopped_while_it_waits_nothing_is_left_anywhere_and_its_password_is_in_no_list_of_processes(
    postgres_database: PostgresDatabase, alice: Operator, private_folders: None
) -> None:
    _prepare(postgres_database)
    canary = f"canary-{secrets.token_hex(8)}:\\"
    server = register_postgres(postgres_database)
    Credential.objects.keep(server, Profile.BACKUP, username="postgres", password=canary)
    at = Door(actor=actor_for(alice), server=type(server).objects.get())
    run = at.submits(at.plans(KEY))
    mine = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
    name = f"signalbox run {run.pk} dump"
    with postgres_database.connect() as other:
        other.autocommit = False
        other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        worker = _in_a_thread(run)
        waiting = f"{mine} AND wait_event_type = 'Lock'"
        until(lambda: bool(postgres_database.sql(waiting, name)))
        said = str(_said_by_processes())
        assert _dumps_of(run), "the program is there to be looked at"
        assert canary not in said and canary[:-2] not in said
        execution.ask_to_stop(run, by=at.actor)
        worker.join(30)
        assert postgres_database.sql(mine, name) == []
    run.refresh_from_db()
    assert run.state == "cancelled" and canary[:-2] not in run.outcome
    assert everything() == [".unfinished"]
    assert _dumps_of(run) == []


def test_a_lock_that_is_not_to_be_had_ends_the_run_in_its_own_words(
    postgres_database: PostgresDatabase, alice: Operator, private_folders: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(take_dump, "LOCK_WAIT_S", 1)
    _prepare(postgres_database)
    at = Door(actor=actor_for(alice), server=register_postgres(postgres_database))
    with postgres_database.connect() as other:
        other.autocommit = False
        other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        run = at.does(KEY)
    assert run.state == "failed" and "got no lock" in run.outcome, run.outcome
    assert everything() == [".unfinished"]


def test_a_program_that_is_killed_leaves_no_backup(
    postgres_database: PostgresDatabase, alice: Operator, private_folders: None
) -> None:
    _prepare(postgres_database)
    at = Door(actor=actor_for(alice), server=register_postgres(postgres_database))
    run = at.submits(at.plans(KEY))
    with postgres_database.connect() as other:
        other.autocommit = False
        other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        worker = _in_a_thread(run)
        until(lambda: bool(_dumps_of(run)))
        for pid in _dumps_of(run):
            os.kill(pid, signal.SIGKILL)
        worker.join(30)
    run.refresh_from_db()
    assert run.state == "failed" and "pg_dump failed" in run.outcome
    assert everything() == [".unfinished"]


def _dumps_of(run: Run) -> list[int]:
    name = f"signalbox run {run.pk} dump"
    return [pid for pid, said in _said_by_processes().items() if name in said]


def test_a_password_that_no_password_file_can_hold_is_refused_in_words(
    postgres_database: PostgresDatabase, alice: Operator, private_folders: None
) -> None:
    server = register_postgres(postgres_database)
    Credential.objects.keep(server, Profile.BACKUP, username="postgres", password="two\nlines")
    run = Door(actor=actor_for(alice), server=type(server).objects.get()).does(KEY)
    assert run.state == "failed" and "line break" in run.outcome

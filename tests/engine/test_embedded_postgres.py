"""Private PostgreSQL servers, on every version at hand."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from apps.engine.embedded import binaries
from apps.engine.embedded.errors import EmbeddedError
from apps.engine.embedded.place import TLSFiles
from apps.engine.embedded.postgres import EmbeddedPostgres
from tests.engine.test_embedded_redis import is_alive, wait_until
from tests.real_servers import CACHE

PASSWORD = "it's a \\ secret"


@pytest.fixture(params=binaries.all_postgres(CACHE), ids=lambda each: each.label)
def programs(request: pytest.FixtureRequest) -> binaries.PostgresBinaries:
    chosen: binaries.PostgresBinaries = request.param
    return chosen


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that an unprivileged account can reach, unlike tmp_path."""
    made = Path(tempfile.mkdtemp(prefix="sb-postgres-"))
    made.chmod(0o711)
    yield made / "server"
    shutil.rmtree(made, ignore_errors=True)


def ask(server: EmbeddedPostgres, statement: str, **options: object) -> Any:
    """The first value of the statement's first row, if it has any."""
    where = {"host": str(server.socket_dir), "port": server.port, "user": "postgres", "dbname": "postgres", **options}
    with psycopg.connect(connect_timeout=5, **where) as connection:  # type: ignore[arg-type]
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def test_it_answers_on_a_private_socket_and_listens_on_no_port(
    programs: binaries.PostgresBinaries, folder: Path
) -> None:
    with EmbeddedPostgres(programs, folder, durable=False) as server:
        assert ask(server, "SHOW server_version").startswith(".".join(map(str, programs.version)))
        assert ask(server, "SHOW listen_addresses") == ""
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        pid = server.pid
    assert pid is not None and not is_alive(pid)


def test_it_never_runs_as_root(programs: binaries.PostgresBinaries, folder: Path) -> None:
    with EmbeddedPostgres(programs, folder, durable=False) as server:
        status = Path(f"/proc/{server.pid}/status").read_text()
    uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
    assert "0" not in uids


def test_the_password_is_asked_for_on_the_socket_and_on_tcp(programs: binaries.PostgresBinaries, folder: Path) -> None:
    with EmbeddedPostgres(programs, folder, password=PASSWORD, tcp_port=0, durable=False) as server:
        assert ask(server, "SELECT 1", password=PASSWORD) == 1
        assert ask(server, "SELECT 1", password=PASSWORD, host="127.0.0.1") == 1
        for host in (str(server.socket_dir), "127.0.0.1"):
            with pytest.raises(psycopg.OperationalError, match="password"):
                ask(server, "SELECT 1", password="wrong", host=host)
        assert not list(server.folder.glob("initial-password"))


def test_data_and_changed_settings_survive_a_restart(programs: binaries.PostgresBinaries, folder: Path) -> None:
    with EmbeddedPostgres(programs, folder, settings={"work_mem": "5MB"}, durable=False) as server:
        ask(server, "CREATE TABLE kept AS SELECT 42 AS n")
        assert ask(server, "SHOW work_mem") == "5MB"
    with EmbeddedPostgres(programs, folder, settings={"work_mem": "6MB"}, durable=False) as server:
        assert ask(server, "SELECT n FROM kept") == 42
        assert ask(server, "SHOW work_mem") == "6MB"


def test_it_starts_again_after_a_kill_in_the_middle_of_work(programs: binaries.PostgresBinaries, folder: Path) -> None:
    server = EmbeddedPostgres(programs, folder).start()
    ask(server, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert wait_until(lambda: server.pid is None)
    assert (server.data / "postmaster.pid").exists(), "the killed server left its pid file behind"
    server.stop()
    with EmbeddedPostgres(programs, folder) as again:
        assert ask(again, "SELECT count(*) FROM kept") == 1000


def test_a_half_made_cluster_is_made_anew(programs: binaries.PostgresBinaries, folder: Path) -> None:
    server = EmbeddedPostgres(programs, folder, durable=False)
    (server.folder / "data.new").mkdir()
    (server.folder / "data.new" / "PG_VERSION").write_text("half")
    with server:
        assert ask(server, "SELECT 1") == 1


def test_the_data_of_another_version_is_refused_and_left_alone(
    programs: binaries.PostgresBinaries, folder: Path
) -> None:
    server = EmbeddedPostgres(programs, folder)
    server.data.mkdir()
    (server.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedError, match="belongs to PostgreSQL 9"):
        server.start()
    assert (server.data / "PG_VERSION").read_text() == "9\n"


def test_a_folder_the_account_cannot_reach_is_replaced_by_one_that_is_remembered(
    programs: binaries.PostgresBinaries, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    if os.geteuid() != 0:
        with EmbeddedPostgres(programs, tmp_path / "server", durable=False) as server:
            assert server.folder == tmp_path / "server"
        return
    with EmbeddedPostgres(programs, tmp_path / "server", durable=False) as server:
        ask(server, "CREATE TABLE kept AS SELECT 1")
        first = server.folder
    try:
        assert first.parent == Path("/var/tmp")
        with EmbeddedPostgres(programs, tmp_path / "server", durable=False) as server:
            assert server.folder == first
            assert ask(server, "SELECT count(*) FROM kept") == 1
    finally:
        shutil.rmtree(first)


def test_a_wrong_setting_is_told_with_the_servers_own_words(programs: binaries.PostgresBinaries, folder: Path) -> None:
    with pytest.raises(EmbeddedError, match="no_such_setting"):
        EmbeddedPostgres(programs, folder, settings={"no_such_setting": "1"}, durable=False).start()


def test_statement_statistics_are_there_where_the_binaries_have_them(
    programs: binaries.PostgresBinaries, folder: Path
) -> None:
    lacks = "no pg_stat_statements or other extensions" in programs.lacks
    preload = () if lacks else ("pg_stat_statements",)
    with EmbeddedPostgres(programs, folder, preload=preload, durable=False) as server:
        found = ask(server, "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_stat_statements'")
        assert found == (0 if lacks else 1)
        if not lacks:
            assert (
                ask(server, "CREATE EXTENSION pg_stat_statements; SELECT count(*) >= 0 FROM pg_stat_statements") is None
            )


def test_tls(programs: binaries.PostgresBinaries, folder: Path, certificate: TLSFiles) -> None:
    if not programs.has_tls:
        with pytest.raises(EmbeddedError, match="has no TLS"):
            EmbeddedPostgres(programs, folder, tls=certificate)
        return
    with EmbeddedPostgres(programs, folder, password=PASSWORD, tcp_port=0, tls=certificate, durable=False) as server:
        verified = {"sslmode": "verify-full", "sslrootcert": str(certificate.certificate), "host": "localhost"}
        asked = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert ask(server, asked, password=PASSWORD, **verified) is True

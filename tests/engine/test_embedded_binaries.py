"""Where binaries come from, when the machine has them and when it has not."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg
import pytest
import redis

from apps.engine.embedded import binaries, debian
from apps.engine.embedded.errors import EmbeddedError
from apps.engine.embedded.postgres import EmbeddedPostgres
from apps.engine.embedded.redis import EmbeddedRedis


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This machine without its servers: a PATH with every other program of the system."""
    tools = tmp_path / "tools"
    tools.mkdir()
    programs = {each.name: each for folder in ("/usr/sbin", "/usr/bin") for each in Path(folder).iterdir()}
    for program in programs.values():
        if not program.name.startswith(("redis", "valkey", "postgres", "pg_", "initdb")):
            (tools / program.name).symlink_to(program)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr(binaries, "POSTGRES_PARENTS", ())


def test_the_machines_own_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SIGNALBOX_TEST_BINARIES", raising=False)
    at_hand = [each for each in binaries.all_redis(tmp_path) if each.source == "machine"]
    if not at_hand:
        pytest.skip("this machine has no redis-server of its own")
    assert binaries.find_redis(tmp_path) == at_hand[0]


@pytest.mark.parametrize("source", ["machine", "wheel"])
def test_the_sources_can_be_limited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str) -> None:
    monkeypatch.setenv("SIGNALBOX_BINARY_SOURCES", source)
    try:
        assert binaries.find_postgres(tmp_path).source == source
    except EmbeddedError as error:
        assert f"{source}: none" in error.message


def test_a_bare_machine_falls_back_on_the_wheels(
    bare_machine: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SIGNALBOX_BINARY_SOURCES", "machine,wheel")
    chosen = binaries.find_redis(tmp_path), binaries.find_postgres(tmp_path)
    assert [each.source for each in chosen] == ["wheel", "wheel"]
    assert all("no TLS" in each.lacks for each in chosen)


def test_nothing_found_says_what_was_tried_and_what_to_do(
    bare_machine: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SIGNALBOX_BINARY_SOURCES", "machine")
    with pytest.raises(EmbeddedError, match=r"machine: none") as caught:
        binaries.find_redis(tmp_path)
    assert "apt-get install redis-server" in caught.value.way_out
    assert "requirements-embedded.txt" in caught.value.way_out


def test_a_machine_without_apt_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedError, match="no apt-get"):
        debian.fetch(tmp_path, "redis")


def test_folders_can_be_added_for_the_version_matrix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server = tmp_path / "bin" / "valkey-server"
    server.parent.mkdir()
    server.write_text("#!/bin/sh\necho 'Valkey server v=99.1.2 sha=00000000:0 malloc=libc bits=64'\n")
    server.chmod(0o755)
    monkeypatch.setenv("SIGNALBOX_TEST_BINARIES", str(tmp_path))
    newest = binaries.all_redis(tmp_path)[0]
    assert (newest.flavour, newest.version, newest.server) == ("valkey", (99, 1, 2), server)


def test_a_program_that_is_too_old_or_speaks_nonsense_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, said in (("redis-server", "Redis server v=5.0.14 sha=0"), ("valkey-server", "hello")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{said}'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("SIGNALBOX_TEST_BINARIES", str(tmp_path))
    assert not [each for each in binaries.all_redis(tmp_path) if each.server.parent == tmp_path]


@pytest.mark.slow
def test_debians_packages_are_fetched_and_run_without_root_rights(bare_machine: None, tmp_path: Path) -> None:
    """The whole way on a machine without servers; once fetched, a second look downloads nothing."""
    if shutil.which("apt-get") is None:
        pytest.skip("this is no Debian")
    chosen, programs = binaries.find_redis(tmp_path), binaries.find_postgres(tmp_path)
    assert (chosen.source, programs.source) == ("debian", "debian")
    assert binaries.find_redis(tmp_path) == chosen
    with (
        EmbeddedRedis(chosen, tmp_path / "redis") as server,
        redis.Redis(unix_socket_path=str(server.socket)) as client,
    ):
        assert client.info("server")["executable"] == str(chosen.server)
    with (
        EmbeddedPostgres(programs, tmp_path / "postgres", preload=("pg_stat_statements",), durable=False) as cluster,
        psycopg.connect(host=str(cluster.socket_dir), port=cluster.port, user="postgres") as connection,
    ):
        assert connection.execute("CREATE EXTENSION pg_stat_statements").statusmessage == "CREATE EXTENSION"
    shutil.rmtree(cluster.folder, ignore_errors=True)


@pytest.mark.slow
def test_a_machine_whose_package_lists_are_missing_fetches_private_ones(
    bare_machine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("apt-get") is None:
        pytest.skip("this is no Debian")
    (tmp_path / "empty-state").mkdir()
    config = tmp_path / "apt.conf"
    config.write_text(f'Dir::State::Lists "{tmp_path}/empty-state";\n')
    monkeypatch.setenv("APT_CONFIG", str(config))
    assert binaries.find_redis(tmp_path / "cache").source == "debian"
    assert list((tmp_path / "cache/apt/lists").glob("*Packages*"))

"""Over TLS, by name and password, as servers elsewhere are reached: the stream of a Redis, and PostgreSQL's own programs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.accounts.models import Operator
from apps.engine.embedded import binaries
from apps.engine.embedded.place import TLSFiles, free_port
from apps.engine.embedded.postgres import SUPERUSER, EmbeddedPostgres
from apps.engine.embedded.redis import EmbeddedRedis
from apps.engine.target import Profile
from apps.servers.models import Credential, Server
from tests.backups.kept import everything, only_backup, whole
from tests.operations.door import Door, actor_for
from tests.real_servers import CACHE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("private_folders")]
PASSWORD = "p:a\\ss 'word\""


def _registered(kind: str, port: int, files: TLSFiles, *, username: str, database: str = "") -> Server:
    server = Server.objects.create(
        key="far", kind=kind, environment="dev", addresses=[{"host": "localhost", "port": port}], database=database,
        tls=True, tls_ca=files.certificate.read_text(),
    )  # fmt: skip
    Credential.objects.keep(server, Profile.MONITOR, username=username, password=PASSWORD)
    return Server.objects.get()


def test_a_redis_over_tls(tmp_path: Path, certificate: TLSFiles, alice: Operator) -> None:
    binary = binaries.find_redis(CACHE)
    if not binary.has_tls:
        pytest.skip("this Redis has no TLS")
    port, settings = free_port(), {"repl-diskless-sync-delay": "0"}
    with EmbeddedRedis(binary, tmp_path / "redis", port=port, password=PASSWORD, tls=certificate, settings=settings):
        run = Door(actor=actor_for(alice), server=_registered("redis", port, certificate, username="")).does(
            "backups.take_rdb"
        )
        assert run.state == "done", run.outcome
    assert whole(only_backup("far"), "dump.rdb").startswith(b"REDIS")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """One that an unprivileged PostgreSQL reaches."""
    made = Path(tempfile.mkdtemp(prefix="sb-far-"))
    made.chmod(0o711)
    yield made / "server"
    shutil.rmtree(made, ignore_errors=True)


def test_a_postgres_over_tls(folder: Path, certificate: TLSFiles, alice: Operator) -> None:
    programs = next((each for each in binaries.all_postgres(CACHE) if each.has_tls), None)
    if programs is None:
        pytest.skip("no PostgreSQL here has TLS")
    with EmbeddedPostgres(programs, folder, password=PASSWORD, tcp_port=0, tls=certificate, durable=False) as server:
        assert server.tcp_port
        registered = _registered("postgres", server.tcp_port, certificate, username=SUPERUSER, database="postgres")
        at = Door(actor=actor_for(alice), server=registered)
        plan = at.plans("backups.take_dump")
        run = at.carries_out(at.submits(plan))
        assert run.state == "done", run.outcome
        assert PASSWORD not in run.outcome
    assert whole(only_backup("far"), "database.dump").startswith(b"PGDMP")
    assert b"SCRAM-SHA-256" in whole(only_backup("far"), "roles.sql")
    assert [path for path in everything() if path.startswith(".unfinished/")] == []

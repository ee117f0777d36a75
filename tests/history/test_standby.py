"""Two PostgreSQL that follow each other, on every version at hand: lag, WAL that is received, and WAL that is archived."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from apps.engine.embedded import binaries
from apps.engine.embedded.postgres import EmbeddedPostgres
from apps.engine.target import Kind
from apps.history.catalogue import probes_of
from apps.history.probes import postgres_replication, postgres_sequences, postgres_stats, postgres_tables, postgres_wal
from apps.history.rates import derived
from tests.history.waiting import number, until
from tests.real_servers import CACHE, POSTGRES_SETTINGS, PostgresDatabase, PostgresServer
from tests.targets import no_old_connections, postgres_target

__all__ = ["no_old_connections"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    primary: PostgresDatabase
    standby: PostgresDatabase


@pytest.fixture(scope="module", params=binaries.all_postgres(CACHE), ids=lambda each: each.label)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A primary that archives in vain, and a standby made of a copy of its files."""
    folder = Path(tempfile.mkdtemp(prefix="sb-pair-"))
    folder.chmod(0o711)
    settings = {**POSTGRES_SETTINGS, "archive_mode": "on", "archive_command": "false"}
    primary = EmbeddedPostgres(request.param, folder / "primary", settings=settings, durable=False)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        primary.start()
        primary.stop()
        followed = f"host={primary.socket_dir} port={primary.port} user=postgres application_name=standby_one"
        standby = EmbeddedPostgres(
            request.param,
            folder / "standby",
            settings={**POSTGRES_SETTINGS, "primary_conninfo": followed},
            durable=False,
        )
        copied(primary.data, standby.data)
        for server in (primary, standby):
            stack.enter_context(server)
        yield Pair(
            primary=PostgresDatabase(server=PostgresServer(embedded=primary), name="postgres"),
            standby=PostgresDatabase(server=PostgresServer(embedded=standby), name="postgres"),
        )


def copied(data: Path, to: Path) -> None:
    """Every file with its owner, for the server may not be us."""
    shutil.copytree(data, to)
    (to / "standby.signal").touch()
    for path in (to, *to.rglob("*")):
        source = data / path.relative_to(to) if path.name != "standby.signal" else data
        shutil.chown(path, source.stat().st_uid, source.stat().st_gid)


def test_a_standby_is_told_with_how_far_it_is_behind(pair: Pair) -> None:
    target = postgres_target(pair.primary)
    label = "replica_behind_bytes[standby_one]"
    until(lambda: postgres_replication.read(target), lambda seen: seen.get(label) == 0)
    pair.standby.sql("SELECT pg_wal_replay_pause()")
    pair.primary.sql("CREATE TABLE behind AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)")
    seen = until(lambda: postgres_replication.read(target), lambda seen: number(seen, label) > 50_000)
    received = until(
        lambda: postgres_wal.read(postgres_target(pair.standby)),
        lambda seen: number(seen, "replay_behind_bytes") > 50_000,
    )
    pair.standby.sql("SELECT pg_wal_replay_resume()")
    assert received["last_archived_age_s"] is None
    assert number(seen, "slots_count") == 0
    until(lambda: postgres_replication.read(target), lambda seen: seen.get(label) == 0)


def test_a_standby_tells_what_it_receives(pair: Pair) -> None:
    target = postgres_target(pair.standby)
    assert postgres_stats.read(target)["role"] == "replica"
    before = postgres_wal.read(target)
    pair.primary.sql("CREATE TABLE more AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)")
    grown = until(
        lambda: derived(postgres_wal.PROBE, postgres_wal.read(target), before, elapsed_s=10),
        lambda per_s: bool(per_s["wal_bytes_per_s"]),
    )
    assert number(grown, "wal_bytes_per_s") > 5_000


def test_a_standby_answers_every_probe(pair: Pair) -> None:
    pair.primary.sql("CREATE TABLE IF NOT EXISTS orders (id serial PRIMARY KEY)")
    pair.primary.sql("CREATE UNLOGGED TABLE IF NOT EXISTS fleeting (id serial)")
    pair.primary.sql("INSERT INTO orders DEFAULT VALUES")
    target = postgres_target(pair.standby)
    until(lambda: postgres_sequences.read(target), lambda seen: "sequence_ratio[public.orders_id_seq]" in seen)
    assert "table_bytes[public.orders]" in postgres_tables.read(target)
    for probe in probes_of(Kind.POSTGRES):
        assert probe.read(target), probe.key


def test_archiving_is_told_as_it_fails_and_as_it_works(pair: Pair) -> None:
    target = postgres_target(pair.primary)
    pair.primary.sql("CREATE TABLE IF NOT EXISTS switched (id int)")
    pair.primary.sql("INSERT INTO switched VALUES (1)")
    pair.primary.sql("SELECT pg_switch_wal()")
    failing = until(lambda: postgres_wal.read(target), lambda seen: bool(seen["archive_failures_total"]))
    assert postgres_stats.read(target)["archive_status"] == "failing"
    assert failing["archived_total"] == 0
    assert failing["last_archived_age_s"] is None
    assert 0 <= number(failing, "last_archive_failure_age_s") < 60
    pair.primary.sql("ALTER SYSTEM SET archive_command = 'true'")
    pair.primary.sql("SELECT pg_reload_conf()")
    pair.primary.sql("INSERT INTO switched VALUES (2)")
    pair.primary.sql("SELECT pg_switch_wal()")
    working = until(lambda: postgres_wal.read(target), lambda seen: bool(seen["archived_total"]))
    assert 0 <= number(working, "last_archived_age_s") < 60

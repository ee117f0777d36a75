"""What the reads find: real servers for what is read, plain records for what is judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from apps.engine.embedded.redis import EmbeddedRedis
from apps.engine.errors import NotPermitted
from apps.upkeep.reads import indexes, postgres_settings, sequences, tables
from apps.upkeep.reads import redis as node
from apps.upkeep.reads.info import parse_info
from apps.upkeep.reads.memory import memory_of
from apps.upkeep.reads.persistence import persistence_of
from apps.upkeep.reads.redis_settings import CATALOGUE, judged, settings_of
from tests.real_servers import PostgresDatabase, RedisServer, connected
from tests.upkeep.conftest import postgres_target, redis_target

QUEUE = frozenset({"queue"})


def test_info_tolerates_what_it_does_not_know() -> None:
    info = parse_info(
        b"# Memory\r\nused_memory:10\r\nnew_thing:a:b\r\nbroken\r\nratio:nan\r\n\r\ndb0:keys=2,expires=1\r\n\xff:\xfe"
    )
    assert info.number("used_memory") == 10
    assert info.number("missing") is None
    assert info.ratio("ratio") is None
    assert info.text("new_thing") == "a:b"
    assert info.pairs("db0") == {"keys": "2", "expires": "1"}


def test_an_empty_reply_gives_unknown_everywhere_and_no_alarm() -> None:
    info = parse_info(b"")
    memory = memory_of(info)
    assert memory.used_bytes is None
    assert list(memory.remarks()) == []
    assert "not known" in memory.when_full
    assert list(persistence_of(info, saves=None, fsync=None).remarks(QUEUE)) == []


@pytest.mark.parametrize(
    ("used", "limit", "signal"),
    [(50, 100, None), (76, 100, "info"), (86, 100, "warn"), (95, 100, "crit"), (95, 0, "crit")],
)
def test_memory_is_judged_by_its_limit(used: int, limit: int, signal: str | None) -> None:
    info = parse_info(f"used_memory:{used}\r\nmaxmemory:{limit}\r\nmaxmemory_policy:noeviction".encode())
    assert [remark.signal for remark in memory_of(info).remarks()] == ([signal] if signal else [])


def test_a_node_is_read_whole(each_redis: RedisServer) -> None:
    each_redis.command("SET", "a", "1")
    each_redis.command("SET", "b", "1", "EX", "1000")
    each_redis.command("CONFIG", "SET", "maxmemory", "100mb")
    state = node.node_state(redis_target(each_redis))
    assert state.memory.limit_bytes == 100 * 2**20
    assert [(k.database, k.key_count, k.expiring_ratio) for k in state.keys] == [(0, 2, 0.5)]
    assert state.persistence.saves_by_itself is False
    assert state.identity.version == ".".join(map(str, each_redis.version))
    assert state.sent_count == 3
    assert [r.signal for r in state.remarks(QUEUE)] == ["crit"]
    assert [r.signal for r in state.remarks(frozenset({"cache"}))] == ["info"]


def test_a_save_is_told_from_a_start(each_redis: RedisServer, tmp_path: Path) -> None:
    """On a server of its own: others may have had the shared one saved before."""
    with EmbeddedRedis(each_redis.embedded.binary, tmp_path) as embedded:
        own = connected(embedded)
        assert node.node_state(redis_target(own)).persistence.saved_at is None
        own.command("SET", "a", "1")
        own.command("SAVE")
        saved = node.node_state(redis_target(own)).persistence
        own.client.close()
    assert saved.changes_count == 0
    if own.version >= (7, 0, 0):
        assert saved.saved_at is not None


def test_every_setting_of_the_catalogue_is_known_to_some_server(redis_servers_all: tuple[RedisServer, ...]) -> None:
    absent = [set(settings_of(redis_target(s), roles=QUEUE).absent_names) for s in redis_servers_all]
    assert set.intersection(*absent) == set()


def test_settings_are_judged_by_role() -> None:
    values = {known.name: "0" for known in CATALOGUE} | {"appendonly": "no", "maxmemory-policy": "allkeys-lru"}
    queue = {s.name: s.remark.signal for s in judged(values, roles=QUEUE).known if s.remark}
    cache = {s.name: s.remark.signal for s in judged(values, roles=frozenset({"cache"})).known if s.remark}
    assert queue["maxmemory-policy"] == "crit"
    assert queue["appendonly"] == "crit"
    assert "maxmemory-policy" not in cache
    assert "appendonly" not in cache


def test_a_refused_memory_report_names_the_rule(each_redis: RedisServer) -> None:
    each_redis.command("ACL", "SETUSER", "look", "on", "nopass", "+ping", "+client", "+select", "+info")
    with pytest.raises(NotPermitted) as refused:
        node.memory_report(redis_target(each_redis, username="look"))
    assert refused.value.missing == "+memory|doctor"


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


def test_sizes_add_up_and_a_trigger_follows_the_tables_own_options(each_postgres: PostgresDatabase) -> None:
    each_postgres.sql("CREATE TABLE t (id int PRIMARY KEY, long text)")
    each_postgres.sql("INSERT INTO t SELECT g, repeat(md5(g::text), 400) FROM generate_series(1, 300) g")
    each_postgres.sql("ALTER TABLE t SET (autovacuum_vacuum_threshold = 7, autovacuum_vacuum_scale_factor = 0)")
    each_postgres.sql("VACUUM ANALYZE t")
    found = {table.name: table for table in tables.tables(postgres_target(each_postgres), database=each_postgres.name)}
    whole = each_postgres.sql("SELECT pg_total_relation_size('t')")[0][0]
    assert found["t"].total_bytes == whole
    assert found["t"].trigger_count == 7
    assert found["t"].estimated_rows == 300


def test_a_locked_table_is_named_and_not_waited_for(each_postgres: PostgresDatabase) -> None:
    each_postgres.sql("CREATE TABLE busy (id int PRIMARY KEY)")
    each_postgres.sql("CREATE TABLE idle (id int PRIMARY KEY)")
    with each_postgres.connect() as holder, holder.transaction():
        holder.execute("LOCK TABLE busy IN ACCESS EXCLUSIVE MODE")
        target = postgres_target(each_postgres)
        found = {table.name: table.total_bytes for table in tables.tables(target, database=each_postgres.name)}
        review = indexes.index_review(target, database=each_postgres.name)
    assert found["busy"] is None
    assert found["idle"] is not None
    assert {index.name: index.size_bytes is None for index in review.largest} == {"busy_pkey": True, "idle_pkey": False}


def test_duplicate_covered_and_needed_indexes_are_told_apart(each_postgres: PostgresDatabase) -> None:
    each_postgres.sql("CREATE TABLE t (a int PRIMARY KEY, b int, c text)")
    for statement in (
        "CREATE INDEX b_one ON t (b)",
        "CREATE INDEX b_two ON t (b)",
        "CREATE INDEX b_c ON t (b, c)",
        "CREATE UNIQUE INDEX a_again ON t (a)",
        "CREATE INDEX b_some ON t (b) WHERE b > 5",
        "CREATE INDEX b_down ON t (b DESC)",
        "CREATE INDEX lower_c ON t (lower(c))",
        "CREATE INDEX lower_c2 ON t (lower(c))",
        "CREATE INDEX upper_c ON t (upper(c))",
        "CREATE INDEX hash_b ON t USING hash (b)",
        "CREATE INDEX c_pattern ON t (c text_pattern_ops)",
    ):
        each_postgres.sql(statement)
    review = indexes.index_review(postgres_target(each_postgres), database=each_postgres.name)
    assert {f.index.name: f.kind for f in review.findings} == {
        "b_one": "covered",
        "b_two": "duplicate",
        "a_again": "duplicate",
        "lower_c2": "duplicate",
    }


def test_an_invalid_index_is_the_worst_finding(each_postgres: PostgresDatabase) -> None:
    each_postgres.sql("CREATE TABLE t (a int)")
    each_postgres.sql("CREATE INDEX broken ON t (a)")
    each_postgres.sql("CREATE INDEX fine ON t (a)")
    each_postgres.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass")
    review = indexes.index_review(postgres_target(each_postgres), database=each_postgres.name)
    assert [(f.index.name, f.kind, f.remark.signal) for f in review.findings] == [("broken", "invalid", "crit")]


def test_a_sequence_ends_with_its_column(each_postgres: PostgresDatabase) -> None:
    each_postgres.sql("CREATE TABLE t (id int PRIMARY KEY, other bigint)")
    each_postgres.sql("CREATE SEQUENCE wide AS bigint OWNED BY t.id")
    each_postgres.sql("SELECT setval('wide', 2000000000)")
    each_postgres.sql("CREATE SEQUENCE down INCREMENT -1")
    found = {s.name: s for s in sequences.sequences(postgres_target(each_postgres), database=each_postgres.name)}
    assert found["wide"].limit_value == 2**31 - 1
    assert found["wide"].signal == "crit"
    assert found["down"].signal == "ok"


def test_the_console_shows_the_servers_settings_and_not_its_own(each_postgres: PostgresDatabase) -> None:
    found = {s.row.name: s.row for s in postgres_settings.settings_of(postgres_target(each_postgres))}
    assert found["statement_timeout"].value == "0"
    assert found["lock_timeout"].value == "0"
    assert found["shared_buffers"].in_words.endswith("MiB")


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        ("16384", "8kB", "128 MiB"),
        ("-1", "ms", "-1"),
        ("0", "s", "0"),
        ("300", "s", "5 min"),
        ("on", None, "on"),
        ("4", None, "4"),
    ],
)
def test_settings_are_said_with_their_unit(value: str, unit: str | None, said: str) -> None:
    assert postgres_settings.said(value, unit) == said


def test_databases_without_the_right_have_no_size_and_are_not_zero(each_postgres: PostgresDatabase) -> None:
    each_postgres.sql("DROP ROLE IF EXISTS no_size")
    each_postgres.sql("CREATE ROLE no_size LOGIN")
    each_postgres.sql(f'REVOKE CONNECT ON DATABASE "{each_postgres.name}" FROM PUBLIC')
    try:
        target = postgres_target(each_postgres, username="no_size")
        found = {d.name: d for d in tables.databases(replace(target, database="postgres"))}
    finally:
        each_postgres.sql("DROP ROLE no_size")
    assert found[each_postgres.name].size_bytes is None
    assert not found[each_postgres.name].is_connectable
    assert found["postgres"].size_bytes

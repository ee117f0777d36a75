"""Statement statistics of real servers: with the extension, without it, and with too few rights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.engine.connections.postgres import sql
from apps.engine.embedded import binaries
from apps.engine.embedded.postgres import EmbeddedPostgres
from apps.engine.errors import Gone, NotPermitted, Unsupported
from apps.engine.files import sql_text
from apps.engine.target import Target
from apps.slow_queries.reads.statements import SQL, Extension, Order, running, statement, statements
from tests.real_servers import CACHE, PostgresDatabase, PostgresServer, Servers
from tests.targets import postgres_target

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def shop(postgres_database: PostgresDatabase) -> Iterator[PostgresDatabase]:
    """A database in which something was asked, with the statistics of this test alone, and two accounts."""
    if not postgres_database.server.has_statement_statistics:
        pytest.skip("this PostgreSQL brings no pg_stat_statements")
    postgres_database.sql("CREATE TABLE stock (sku int PRIMARY KEY, qty int)")
    postgres_database.sql("INSERT INTO stock SELECT n, n FROM generate_series(1, 2000) n")
    postgres_database.sql("CREATE ROLE watcher LOGIN")
    postgres_database.sql("SELECT pg_stat_statements_reset()")
    with postgres_database.connect() as connection:
        for sku in range(20):
            connection.execute("SELECT qty FROM stock WHERE sku = %s", [sku], prepare=False)
        connection.execute("SELECT sum(a.qty) FROM stock a, stock b WHERE a.qty < b.qty")
        connection.execute("CREATE ROLE guest PASSWORD 'the secret'")
    yield postgres_database
    postgres_database.sql("DROP OWNED BY watcher, guest")
    postgres_database.sql("DROP ROLE watcher, guest")


def test_the_costliest_statement_comes_first_with_its_share(shop: PostgresDatabase) -> None:
    found = statements(postgres_target(shop))
    mine = [row for row in found.rows if row.database == shop.name]
    assert mine[0].text == "SELECT sum(a.qty) FROM stock a, stock b WHERE a.qty < b.qty"
    assert mine[0].share_ratio > 0.5
    assert mine[0].calls_count == 1
    assert mine[0].hit_ratio == 1
    by_sku = next(row for row in mine if "WHERE sku" in row.text)
    assert by_sku.text == "SELECT qty FROM stock WHERE sku = $1"
    assert by_sku.calls_count == 20
    assert by_sku.rows_count == 19
    assert found.in_all_s == pytest.approx(
        sum(r.total_s for r in statements(postgres_target(shop), own=True).rows), rel=0.5
    )
    assert found.since.reset_at is not None
    assert found.since.evicted_count == 0


def test_each_order_puts_its_own_worst_first(shop: PostgresDatabase) -> None:
    target = postgres_target(shop)
    by_calls = statements(target, order=Order.CALLS).rows
    by_mean = statements(target, order=Order.MEAN).rows
    assert by_calls[0].calls_count == max(row.calls_count for row in by_calls)
    assert by_mean[0].mean_s == max(row.mean_s or 0 for row in by_mean)
    assert by_calls[0].queryid != by_mean[0].queryid


def test_the_consoles_own_statements_are_left_out_until_asked_for(shop: PostgresDatabase) -> None:
    target = postgres_target(shop)
    statements(target)
    assert not [row for row in statements(target).rows if "signalbox" in row.text]
    found = statements(target, own=True)
    assert [row for row in found.rows if row.is_own]
    assert found.own_count > 0
    assert 0 < found.own_ratio < 1


def test_one_statement_is_told_in_full_for_each_account(shop: PostgresDatabase) -> None:
    shop.sql("GRANT SELECT ON stock TO watcher")
    with shop.connect(user="watcher") as connection:
        connection.execute("SELECT qty FROM stock WHERE sku = %s", [5], prepare=False)
    target = postgres_target(shop)
    queryid = next(row.queryid for row in statements(target).rows if "WHERE sku" in row.text)
    rows = statement(target, queryid=queryid)
    assert {row.account: row.calls_count for row in rows} == {"postgres": 20, "watcher": 1}
    assert {row.database for row in rows} == {shop.name}
    assert all(row.is_top_level and row.fastest_s <= row.mean_s <= row.slowest_s for row in rows)
    assert rows[0].text_length == len(rows[0].text)


def test_a_statement_that_is_gone_is_said_to_be_gone(shop: PostgresDatabase) -> None:
    with pytest.raises(Gone):
        statement(postgres_target(shop), queryid=42)


def test_an_account_without_the_right_sees_its_own_and_is_told_the_grant(shop: PostgresDatabase) -> None:
    with shop.connect(user="watcher") as connection:
        connection.execute("SELECT 1 AS mine")
    found = statements(postgres_target(shop, username="watcher"), own=True)
    assert found.extension.missing_grant == 'GRANT pg_read_all_stats TO "watcher";'
    assert not [row for row in found.rows if "insufficient" in row.text or "sum(a.qty)" in row.text]
    shop.sql("GRANT pg_read_all_stats TO watcher")
    found = statements(postgres_target(shop, username="watcher"))
    assert found.extension.missing_grant == ""
    assert [row for row in found.rows if "sum(a.qty)" in row.text]


def test_a_closed_view_names_the_grant(shop: PostgresDatabase) -> None:
    shop.sql("REVOKE SELECT ON pg_stat_statements FROM PUBLIC")
    with pytest.raises(NotPermitted) as refused:
        statements(postgres_target(shop, username="watcher"))
    assert refused.value.missing == 'GRANT SELECT ON "public".pg_stat_statements TO "watcher";'


def test_the_extension_is_found_in_whatever_schema_it_lives(shop: PostgresDatabase) -> None:
    shop.sql('CREATE SCHEMA "odd ""one"')
    shop.sql('ALTER EXTENSION pg_stat_statements SET SCHEMA "odd ""one"')
    assert statements(postgres_target(shop)).rows
    with pytest.raises(NotPermitted) as refused:
        statements(postgres_target(shop, username="watcher"))
    assert refused.value.missing == 'GRANT USAGE ON SCHEMA "odd ""one" TO "watcher";'


def test_loaded_but_not_created_names_the_statement(shop: PostgresDatabase) -> None:
    shop.sql("DROP EXTENSION pg_stat_statements")
    with pytest.raises(Unsupported) as refused:
        statements(postgres_target(shop))
    assert "CREATE EXTENSION pg_stat_statements;" in refused.value.way_out


def test_an_extension_older_than_the_supported_names_the_update(shop: PostgresDatabase) -> None:
    shop.sql("DROP EXTENSION pg_stat_statements")
    shop.sql("CREATE EXTENSION pg_stat_statements VERSION '1.7'")
    with pytest.raises(Unsupported) as refused:
        statements(postgres_target(shop))
    assert "ALTER EXTENSION pg_stat_statements UPDATE;" in refused.value.way_out


@pytest.mark.parametrize("version", ["1.8", "1.9", "1.10"])
def test_every_version_of_the_extension_at_hand_is_read(shop: PostgresDatabase, version: str) -> None:
    shop.sql("DROP EXTENSION pg_stat_statements")
    shop.sql(f"CREATE EXTENSION pg_stat_statements VERSION '{version}'")
    target = postgres_target(shop)
    found = statements(target)
    rows = statement(target, queryid=found.rows[0].queryid)
    assert rows[0].calls_count == found.rows[0].calls_count
    assert (found.since.reset_at is None) == (version == "1.8")
    assert (rows[0].is_top_level is None) == (version == "1.8")


@pytest.mark.parametrize(
    ("version", "major"), [("1.7", 0), ("1.8", 13), ("1.9", 14), ("1.10", 15), ("1.11", 17), ("1.12", 18), ("1.13", 18)]
)
def test_a_version_of_the_extension_chooses_the_variant(version: str, major: int) -> None:
    told = Extension(
        available=True, preloaded=True, version=version, schema="public", libraries="", sees_all=True,
        most_count=5000, track="top", account="a", database="d", may_use=True, may_read=True,
    )  # fmt: skip
    assert told.major == major


COLUMNS_OF_1_11 = """userid oid, dbid oid, toplevel bool, queryid bigint, query text, plans bigint, total_plan_time float8,
    calls bigint, total_exec_time float8, min_exec_time float8, max_exec_time float8, mean_exec_time float8,
    stddev_exec_time float8, rows bigint, shared_blks_hit bigint, shared_blks_read bigint, shared_blks_dirtied bigint,
    shared_blks_written bigint, temp_blks_read bigint, temp_blks_written bigint, shared_blk_read_time float8,
    shared_blk_write_time float8, wal_records bigint, wal_bytes numeric, stats_since timestamptz"""


def test_the_variant_for_renamed_columns_fits_the_documented_ones(postgres_database: PostgresDatabase) -> None:
    postgres_database.sql(f"CREATE SCHEMA documented CREATE TABLE pg_stat_statements ({COLUMNS_OF_1_11})")
    for name in ("statement", "statements"):
        text = sql.SQL(sql_text(SQL, name, major=17)).format(
            schema=sql.Identifier("documented"), order=sql.Identifier("total_s")
        )
        with postgres_database.connect() as connection:
            assert connection.execute(text, {"queryid": 1, "own": True, "most": 5}).fetchall() == []


def test_a_server_without_the_files_is_told_from_one_that_did_not_load_them(servers: Servers) -> None:
    bare = [each for each in binaries.all_postgres(CACHE) if "no pg_stat_statements or other extensions" in each.lacks]
    if not bare:
        pytest.skip("every PostgreSQL at hand brings the extension")
    server = servers.postgres(bare[0])
    with pytest.raises(Unsupported, match="files are not installed"):
        statements(postgres_target(PostgresDatabase(server=server, name="postgres")))


def test_files_without_the_library_name_the_setting(tmp_path_factory: pytest.TempPathFactory, servers: Servers) -> None:
    with_files = [
        each for each in binaries.all_postgres(CACHE) if "no pg_stat_statements or other extensions" not in each.lacks
    ]
    if not with_files:
        pytest.skip("no PostgreSQL at hand brings the extension")
    folder: Path = servers._new_folder()
    with EmbeddedPostgres(with_files[0], folder, durable=False, preload=("auto_explain",)) as embedded:
        server = PostgresServer(embedded=embedded)
        server.sql("CREATE ROLE watcher LOGIN")
        database = PostgresDatabase(server=server, name="postgres")
        with pytest.raises(Unsupported) as refused:
            statements(postgres_target(database))
        assert refused.value.way_out.endswith("SET shared_preload_libraries = auto_explain, pg_stat_statements;")
        with pytest.raises(Unsupported, match="not loaded") as refused:
            statements(postgres_target(database, username="watcher"))
        assert "may not see it" in refused.value.way_out


def test_long_running_statements_are_counted(postgres_database: PostgresDatabase, postgres_here: Target) -> None:
    assert running(postgres_here).running_count == 0
    connection = postgres_database.connect()
    connection.pgconn.send_query(b"SELECT pg_sleep(30)")
    postgres_database.sql("SELECT pg_sleep(1.2)")
    found = running(postgres_here)
    connection.close()
    assert found.running_count == 1
    assert 1 < (found.longest_s or 0) < 30

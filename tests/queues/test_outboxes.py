"""Outbox tables on every PostgreSQL at hand."""

from __future__ import annotations

import pytest

from apps.engine.contracts.adapter import Known
from apps.engine.errors import CommandFailed, EngineError, Gone
from apps.queues.fleet import read_job, read_page, read_server
from apps.queues.verdicts import Verdict
from tests.queues.conftest import postgres_target, queue_named
from tests.real_servers import PostgresDatabase

TABLE = """CREATE TABLE outbox_event (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic text NOT NULL, payload jsonb NOT NULL,
 created_at timestamptz NOT NULL DEFAULT now(), published_at timestamptz, attempts int NOT NULL DEFAULT 0, last_error text)"""


def fill(database: PostgresDatabase, count: int, *, minutes: int = 0) -> None:
    database.sql(
        "INSERT INTO outbox_event (topic, payload, created_at) SELECT 'order.placed', jsonb_build_object('n', g),"
        " now() - make_interval(mins => %s) + g * interval '1 ms' FROM generate_series(1, %s) g",
        minutes,
        count,
    )


def test_what_is_not_published_is_counted_with_its_exact_age(each_postgres: PostgresDatabase) -> None:
    each_postgres.sql(TABLE)
    fill(each_postgres, 5, minutes=7)
    each_postgres.sql("UPDATE outbox_event SET published_at = now() WHERE id = 1")
    each_postgres.sql("UPDATE outbox_event SET attempts = 2, last_error = 'refused' WHERE id = 2")
    found = queue_named(read_server(postgres_target(each_postgres)), b"outbox_event", b"public")
    now = found.snapshot
    assert (now.ready.value, now.failed.value, now.running.known) == (4, 1, Known.NONE)
    assert now.oldest.low_s == pytest.approx(420, abs=5)
    assert found.verdict is Verdict.BEHIND


def test_a_long_outbox_is_counted_to_an_end(postgres_database: PostgresDatabase) -> None:
    postgres_database.sql(TABLE)
    fill(postgres_database, 10_500)
    now = queue_named(read_server(postgres_target(postgres_database)), b"outbox_event", b"public").snapshot
    assert (now.ready.value, now.ready.known, now.oldest.known) == (10_000, Known.AT_LEAST, Known.AT_LEAST)


def test_pages_and_rows_open_by_key(each_postgres: PostgresDatabase) -> None:
    each_postgres.sql(TABLE)
    fill(each_postgres, 60)
    target = postgres_target(each_postgres)
    queue = queue_named(read_server(target), b"outbox_event", b"public").snapshot.queue
    first = read_page(target, queue, state="ready", start="")
    second = read_page(target, queue, state="ready", start=first.next or "")
    assert [int(row.id) for row in (*first.rows, *second.rows)] == list(range(1, 61))
    job = read_job(target, queue, state="ready", job=b"60", start="")
    assert job.payload.body == b'{\n  "n": 60\n}'
    with pytest.raises(Gone):
        read_job(target, queue, state="ready", job=b"61", start="")
    with pytest.raises(CommandFailed):
        read_page(target, queue, state="ready", start="1; DROP TABLE outbox_event")
    assert each_postgres.sql("SELECT count(*) FROM outbox_event") == [(60,)]


def test_flags_uuids_and_hostile_names_are_understood(each_postgres: PostgresDatabase) -> None:
    each_postgres.sql('CREATE SCHEMA "a ""b"" %%s {x}"')
    each_postgres.sql(
        'CREATE TABLE "a ""b"" %%s {x}"."my outbox ""; --" ("i d" uuid PRIMARY KEY DEFAULT gen_random_uuid(),'
        " processed boolean NOT NULL DEFAULT false, created_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'))"
    )
    each_postgres.sql('INSERT INTO "a ""b"" %%s {x}"."my outbox ""; --" (processed) VALUES (false), (true)')
    target = postgres_target(each_postgres)
    found = next(q for q in read_server(target).queues)
    assert found.snapshot.ready.value == 1
    assert found.snapshot.oldest.low_s == pytest.approx(0, abs=5)
    assert len(read_page(target, found.snapshot.queue, state="ready", start="").rows) == 1


def test_a_table_that_does_not_tell_what_is_done_is_no_outbox(postgres_database: PostgresDatabase) -> None:
    postgres_database.sql("CREATE TABLE outboxevent (id uuid PRIMARY KEY, type text, payload jsonb)")
    postgres_database.sql("CREATE TABLE outbox_nokey (published_at timestamptz)")
    postgres_database.sql("CREATE TABLE published (id int PRIMARY KEY, published_at timestamptz)")
    assert read_server(postgres_target(postgres_database)).queues == ()


def test_a_table_that_may_not_be_read_names_the_missing_grant(postgres_database: PostgresDatabase) -> None:
    postgres_database.sql(TABLE)
    postgres_database.sql("DROP ROLE IF EXISTS looker")
    postgres_database.sql("CREATE ROLE looker LOGIN")
    try:
        reading = read_server(postgres_target(postgres_database, user="looker"))
        (found,) = reading.queues
        assert found.verdict is Verdict.UNKNOWN
        assert found.snapshot.ready.value is None
        assert 'GRANT SELECT ON "public"."outbox_event"' in found.reason
    finally:
        postgres_database.sql("DROP ROLE looker")


def test_a_table_that_is_locked_costs_itself_only(postgres_database: PostgresDatabase) -> None:
    postgres_database.sql(TABLE)
    postgres_database.sql(TABLE.replace("outbox_event", "outbox_other"))
    with postgres_database.connect() as holder, holder.transaction():
        holder.execute("LOCK TABLE outbox_event IN ACCESS EXCLUSIVE MODE")
        reading = read_server(postgres_target(postgres_database))
    values = {q.snapshot.queue.name: q.snapshot.ready.value for q in reading.queues}
    assert values == {b"outbox_event": None, b"outbox_other": 0}


def test_a_session_of_these_reads_cannot_write(postgres_database: PostgresDatabase) -> None:
    from apps.engine.connections.postgres import postgres_node

    with postgres_node(postgres_target(postgres_database)) as node, pytest.raises(EngineError):
        node.rows("CREATE TABLE t (a int)")

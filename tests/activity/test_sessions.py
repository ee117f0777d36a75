"""Real sessions, real locks: who waits, for whom, since when, and what an account without rights is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apps.activity.reads.sessions import PREPARED, activity
from apps.engine.embedded import binaries
from apps.engine.embedded.postgres import EmbeddedPostgres
from apps.engine.target import Target
from tests.activity.locks import Sessions, sessions
from tests.real_servers import CACHE, PostgresDatabase, PostgresServer, Servers
from tests.targets import postgres_target

UPDATE = "UPDATE stock SET qty = qty + 1 WHERE sku = {}"


@pytest.fixture
def people(postgres_database: PostgresDatabase) -> Iterator[Sessions]:
    with sessions(postgres_database) as made:
        yield made


def test_a_chain_is_drawn_root_first_on_every_version(each_postgres: PostgresDatabase) -> None:
    with sessions(each_postgres) as people:
        holder = people.begin("batch", UPDATE.format(1)).info.backend_pid
        first = people.wait(people.begin("checkout-1"), UPDATE.format(1))
        second = people.wait(people.begin("checkout-2"), UPDATE.format(1))
        found = activity(postgres_target(each_postgres))

    assert [(row.node.pid, row.node.depth) for row in found.blocked] == [
        (holder, 0),
        (first, 1),
        (second, 2),
    ]
    root, waiting, last = found.blocked
    assert root.session is not None
    assert root.session.state == "idle in transaction"
    assert root.session.application == "batch"
    assert root.node.victims_count == found.waiting_count == 2
    assert waiting.wait is not None
    assert (waiting.wait.lock_type, waiting.wait.relation) == ("transactionid", "public.stock")
    assert last.wait is not None
    assert (last.wait.lock_type, last.wait.relation, last.wait.mode) == ("tuple", "public.stock", "ExclusiveLock")
    if each_postgres.server.version >= (14, 0):
        assert root.longest_wait_s == pytest.approx(waiting.wait.wait_s)
    else:
        assert waiting.wait.wait_s is None


def test_a_diamond_shows_each_session_once(postgres_database: PostgresDatabase, people: Sessions) -> None:
    root = people.begin("root", UPDATE.format(1))
    left, right = people.begin("left", UPDATE.format(2)), people.begin("right", UPDATE.format(3))
    people.wait(left, UPDATE.format(1))
    reader = people.begin("top", "SELECT 1")
    third = people.begin("reader", "LOCK TABLE stock IN ROW EXCLUSIVE MODE")
    top = people.wait(reader, "LOCK TABLE stock IN ACCESS EXCLUSIVE MODE")
    found = {row.node.pid: row for row in activity(postgres_target(postgres_database)).blocked}

    pids = [c.info.backend_pid for c in (root, left, right, third)]
    assert sorted(found) == sorted([*pids, top])
    # The top waits for left, right, root and the reader; root stands behind left and so is not said again.
    assert found[top].node.parent == left.info.backend_pid
    assert found[top].node.also_behind == tuple(sorted(c.info.backend_pid for c in (right, third)))
    assert found[root.info.backend_pid].node.victims_count == 2
    wait = found[top].wait
    assert wait is not None
    assert (wait.mode, wait.relation) == ("AccessExclusiveLock", "public.stock")


def test_an_idle_session_that_holds_an_advisory_lock_is_named(
    postgres_database: PostgresDatabase, people: Sessions
) -> None:
    holder = people.begin("cron", "SELECT pg_advisory_lock(7)", "COMMIT")
    people.wait(people.begin("worker"), "SELECT pg_advisory_lock(7)")
    root = activity(postgres_target(postgres_database)).roots[0]
    assert root.node.pid == holder.info.backend_pid
    assert root.session is not None
    assert (root.session.state, root.session.application) == ("idle", "cron")


def test_a_prepared_transaction_is_named(servers: Servers) -> None:
    settings = {"max_prepared_transactions": "5"}
    with EmbeddedPostgres(
        binaries.find_postgres(CACHE), servers._new_folder(), durable=False, settings=settings
    ) as embedded:
        database = PostgresDatabase(server=PostgresServer(embedded=embedded), name="postgres")
        with sessions(database) as people:
            people.begin("left behind", UPDATE.format(1), "PREPARE TRANSACTION 'order 42'")
            waiting = people.wait(people.begin("next"), UPDATE.format(1))
            found = activity(postgres_target(database))
    assert [(row.node.pid, row.node.depth) for row in found.blocked] == [(PREPARED, 0), (waiting, 1)]
    assert [prepared.name for prepared in found.prepared] == ["order 42"]


def test_nobody_waits(postgres_database: PostgresDatabase, people: Sessions) -> None:
    people.begin("batch", UPDATE.format(1))
    found = activity(postgres_target(postgres_database))
    assert (found.blocked, found.waiting_count, found.prepared) == ((), 0, ())


def test_sessions_are_told_with_ages_and_sources(postgres_database: PostgresDatabase, people: Sessions) -> None:
    for _ in range(3):
        people.begin("checkout", UPDATE.format(1), "COMMIT")
    people.begin("batch", UPDATE.format(2))
    target = postgres_target(postgres_database)
    busy, everybody = activity(target), activity(target, idle=True)

    mine = [session for session in busy.sessions if session.database == postgres_database.name]
    assert [(s.application, s.state) for s in mine] == [("batch", "idle in transaction")]
    assert mine[0].text == UPDATE.format(2)
    assert 0 <= (mine[0].state_s or -1) < 60
    assert 0 <= (mine[0].transaction_s or -1) <= (mine[0].age_s or -1)
    resting = [session for session in everybody.sessions if session.application == "checkout"]
    assert [session.transaction_s for session in resting] == [None] * 3
    assert all(session.state_s is not None for session in resting)
    by_name = {source.application: source for source in busy.sources if source.database == postgres_database.name}
    assert by_name["checkout"].idle_count == by_name["checkout"].connections_count == 3
    assert by_name["batch"].idle_in_transaction_count == 1
    assert by_name["batch"].longest_idle_in_transaction_s is not None
    assert busy.totals is not None
    assert busy.totals.connections_in_all == sum(source.connections_count for source in busy.sources)
    assert busy.totals.most_connections_count == 60


def test_a_long_statement_is_cut(postgres_database: PostgresDatabase, people: Sessions) -> None:
    people.begin("long", f"SELECT '{'x' * 5000}'")
    session = next(s for s in activity(postgres_target(postgres_database)).sessions if s.application == "long")
    assert len(session.text or "") <= 1000


def test_an_account_without_the_right_still_sees_who_blocks_whom(
    postgres_database: PostgresDatabase, people: Sessions
) -> None:
    postgres_database.sql('CREATE ROLE "odd""one" LOGIN')
    try:
        holder = people.begin("batch", UPDATE.format(1))
        waiting = people.wait(people.begin("checkout"), UPDATE.format(1))
        target: Target = postgres_target(postgres_database, username='odd"one')
        found = activity(target)
        assert [row.node.pid for row in found.blocked] == [holder.info.backend_pid, waiting]
        assert found.missing_grant == 'GRANT pg_monitor TO "odd""one";'
        assert all(s.is_hidden for s in found.sessions if s.account == "postgres")
        assert {s.state_s for s in found.sessions if s.account == "postgres"} == {None}
        assert found.totals is not None
        assert found.totals.hidden_in_all >= 2
        postgres_database.sql('GRANT pg_monitor TO "odd""one"')
        found = activity(target)
        assert found.missing_grant == ""
        assert not [s for s in found.sessions if s.is_hidden]
    finally:
        postgres_database.sql('DROP ROLE "odd""one"')


def test_looking_takes_no_lock_that_others_feel(postgres_database: PostgresDatabase, people: Sessions) -> None:
    people.begin("migration", "LOCK TABLE stock IN ACCESS EXCLUSIVE MODE")
    waiting = people.wait(people.begin("reader"), "SELECT * FROM stock")
    found = activity(postgres_target(postgres_database))
    assert found.blocked[1].node.pid == waiting
    assert found.statements_sent == 3

"""One statement is cancelled: the one that was chosen, in the session that was chosen, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from apps.accounts.models import Operator
from apps.activity.identity import SessionRef
from apps.engine.connections import postgres
from apps.engine.contracts.action import Refused
from apps.engine.errors import EngineError, Gone, NotPermitted
from apps.operations.planning import content_of
from tests.activity.held import SLEEP, Held, eventually, everybody, is_there, ref, runs, send
from tests.activity.locks import Sessions, sessions
from tests.operations.door import Door, actor_for, outcome_of, register_postgres
from tests.operations.scenario import Scenario
from tests.real_servers import PostgresDatabase

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "activity.cancel_statement"
HELD = Held()
UPDATE = "UPDATE stock SET qty = 777 WHERE sku = {}"
pids: dict[str, int] = {}
DAY = "2026-01-01 00:00:00.000000 UTC"
TEXTS = [
    "",
    "nonsense",
    "1",
    f"-1 of {DAY}",
    f"1 of {DAY}, ",
    f"99999999999 of {DAY}",
    "1 of 2026-13-01 00:00:00.000000 UTC",
    f"1 of {DAY}",
]


def _prepare(database: PostgresDatabase) -> dict[str, Any]:
    made = HELD.sessions(database)
    for name in ("app-slow", "app-beside"):
        pids[name] = send(database, made.begin(name))
    return {"session": ref(database, pids["app-slow"])}


def _changed(database: PostgresDatabase) -> bool:
    return (
        not runs(database, pids["app-slow"])
        and is_there(database, pids["app-slow"])
        and runs(database, pids["app-beside"])
    )


SCENARIO = Scenario(prepare=_prepare, changed=_changed, state=everybody, clean=HELD.clean)


@pytest.fixture
def people(each_postgres: PostgresDatabase) -> Iterator[Sessions]:
    postgres.forget_connections()
    with sessions(each_postgres) as made:
        yield made


@pytest.fixture
def door(each_postgres: PostgresDatabase, alice: Operator, private_folders: None) -> Door:
    return Door(actor=actor_for(alice), server=register_postgres(each_postgres))


def figures(run_or_plan: Any) -> dict[str, float | None]:
    return {figure.label: figure.amount.value for figure in run_or_plan.figures}


def test_the_statement_ends_and_the_session_stays(
    each_postgres: PostgresDatabase, people: Sessions, door: Door
) -> None:
    slow, beside = people.begin("app-slow"), people.begin("app-beside")
    pid, other = send(each_postgres, slow), send(each_postgres, beside)
    run = door.does(KEY, session=ref(each_postgres, pid))
    assert run.state == "done", run.outcome
    assert not runs(each_postgres, pid) and is_there(each_postgres, pid)
    assert runs(each_postgres, other)
    assert "idle in transaction (aborted)" in run.outcome
    with pytest.raises(psycopg.errors.QueryCanceled):
        _answer(slow)


def _answer(connection: Any) -> None:
    result = eventually(connection.pgconn.get_result)
    raise psycopg.errors.lookup(result.error_field(psycopg.pq.DiagnosticField.SQLSTATE).decode())


def test_the_plan_names_the_statement_without_its_literals_and_who_waits(
    each_postgres: PostgresDatabase, people: Sessions, door: Door
) -> None:
    holder = people.begin("app-<script>x</script>", UPDATE.format(1))
    pid = send(each_postgres, holder, "SELECT pg_sleep(600), 'hunter2'")
    waiters = [people.wait(people.begin(f"app-{n}"), UPDATE.format(1)) for n in range(2)]
    plan = door.plans(KEY, session=ref(each_postgres, pid))
    said = content_of(plan)
    assert figures(said)["Sessions let go on"] == 2
    assert said.sample is not None and {row[0].text for row in said.sample.rows} == {str(each) for each in waiters}
    assert "the whole transaction" in str(said.facts)
    assert "hunter2" not in str(plan.content)
    run = door.carries_out(door.submits(plan))
    assert (figures(outcome_of(run))["Let go on"] or 0) >= 1, "an aborted transaction holds no lock"
    assert is_there(each_postgres, pid)


def test_who_waits_itself_is_cancelled_alone(each_postgres: PostgresDatabase, people: Sessions, door: Door) -> None:
    holder = people.begin("app-holder", UPDATE.format(1))
    waiter = people.wait(people.begin("app-waiter"), UPDATE.format(1))
    said = content_of(door.plans(KEY, session=ref(each_postgres, waiter)))
    assert "Lock: transactionid" in str(said.facts)
    assert door.does(KEY, session=ref(each_postgres, waiter)).state == "done"
    assert is_there(each_postgres, holder.info.backend_pid)


def test_one_that_has_ended_is_told_and_nothing_is_cancelled(
    each_postgres: PostgresDatabase, people: Sessions, door: Door
) -> None:
    slow = people.begin("app-slow")
    pid = send(each_postgres, slow)
    plan = door.plans(KEY, session=ref(each_postgres, pid))
    slow.cancel_safe() if hasattr(slow, "cancel_safe") else slow.cancel()
    eventually(lambda: not runs(each_postgres, pid))
    run = door.carries_out(door.submits(plan))
    assert run.state == "failed" and "Nothing was done" in run.outcome


def test_the_next_statement_of_the_session_is_not_hit(
    each_postgres: PostgresDatabase, people: Sessions, door: Door
) -> None:
    holder, slow = people.begin("app-holder"), people.begin("app-slow")
    holder.execute("SELECT pg_advisory_lock(7)")
    pid = send(each_postgres, slow, "SELECT pg_advisory_lock(7)")
    chosen = ref(each_postgres, pid)
    plan = door.plans(KEY, session=chosen)
    holder.execute("SELECT pg_advisory_unlock(7)")
    eventually(lambda: not runs(each_postgres, pid))
    while slow.pgconn.get_result():
        pass
    send(each_postgres, slow)
    run = door.carries_out(door.submits(plan))
    assert run.state == "failed" and "now another" in run.outcome
    assert runs(each_postgres, pid)
    assert content_of(door.plans(KEY, session=chosen)).blocked


def test_a_process_id_that_came_again_is_not_hit(each_postgres: PostgresDatabase, people: Sessions, door: Door) -> None:
    """The server cannot be made to give a process id again: a session that began a microsecond beside stands for it."""
    pid = send(each_postgres, people.begin("app-other"))
    real = SessionRef.of(ref(each_postgres, pid))
    former = SessionRef(pid=pid, begun_at=real.begun_at - timedelta(microseconds=1), statement_at=real.statement_at)
    with pytest.raises(Gone, match="ended by itself"):
        door.plans(KEY, session=former.text)
    assert runs(each_postgres, pid)


def test_the_signal_itself_compares(each_postgres: PostgresDatabase, people: Sessions, door: Door) -> None:
    """What moved between the last look and the signal: the statement that signals finds nobody."""
    from apps.activity import signalling
    from apps.engine.connections.postgres import writing_session

    pid = send(each_postgres, people.begin("app-other"))
    real = SessionRef.of(ref(each_postgres, pid))
    assert real.statement_at
    later = SessionRef(pid=pid, begun_at=real.begun_at, statement_at=real.statement_at + timedelta(microseconds=1))

    class Unasked:
        def check(self) -> None: ...

    with writing_session(door.server.target(), name="test") as node, pytest.raises(Gone, match="Nothing was cancelled"):
        signalling.cancel(node, later, Unasked())  # type: ignore[arg-type]
    assert runs(each_postgres, pid)


def test_one_that_catches_the_cancellation_is_said_to_run_on(
    postgres_database: PostgresDatabase, alice: Operator, private_folders: None
) -> None:
    at = Door(actor=actor_for(alice), server=register_postgres(postgres_database))
    with sessions(postgres_database) as made:
        stubborn = "DO $$ BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(600); END $$"
        pid = send(postgres_database, made.begin("app-stubborn"), stubborn)
        run = at.does(KEY, session=ref(postgres_database, pid))
        assert run.state == "partial" and "runs on after 2 s" in run.outcome
        assert runs(postgres_database, pid)


def test_an_idle_transaction_has_nothing_to_cancel(
    each_postgres: PostgresDatabase, people: Sessions, door: Door
) -> None:
    pid = people.begin("app-idle", UPDATE.format(1)).info.backend_pid
    said = content_of(door.plans(KEY, session=ref(each_postgres, pid)))
    assert "Only the end of the session" in str(said.blocked)


def test_the_consoles_own_sessions_are_refused(each_postgres: PostgresDatabase, people: Sessions, door: Door) -> None:
    for name, way_out in (("signalbox", "by itself"), ("signalbox run 17", "Stop run 17")):
        pid = send(each_postgres, people.begin(name))
        with pytest.raises(Refused, match="of this console") as refused:
            door.plans(KEY, session=ref(each_postgres, pid))
        assert way_out in refused.value.way_out
        assert runs(each_postgres, pid)


def test_sessions_of_its_other_accounts_are_refused_too(
    postgres_database: PostgresDatabase, alice: Operator, private_folders: None
) -> None:
    at = Door(actor=actor_for(alice), server=register_postgres(postgres_database))
    postgres_database.sql("CREATE ROLE keeper LOGIN")
    try:
        at.server.credentials.create(profile="backup", username="keeper")
        with sessions(postgres_database) as made:
            pid = send(postgres_database, made.begin("signalbox", user="keeper"))
            with pytest.raises(Refused, match="of this console"):
                at.plans(KEY, session=ref(postgres_database, pid))
            assert runs(postgres_database, pid)
    finally:
        postgres_database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'keeper'")
        postgres_database.sql("DROP ROLE keeper")


def test_who_only_takes_the_consoles_name_is_not_spared(
    each_postgres: PostgresDatabase, people: Sessions, door: Door
) -> None:
    each_postgres.sql("CREATE ROLE pretender LOGIN")
    try:
        pid = send(each_postgres, people.begin("signalbox", user="pretender"))
        said = content_of(door.plans(KEY, session=ref(each_postgres, pid)))
        assert not said.blocked and "another account" in str(said.warnings)
        assert door.does(KEY, session=ref(each_postgres, pid)).state == "done"
    finally:
        each_postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pretender'")
        each_postgres.sql("DROP ROLE pretender")


@pytest.fixture
def small_account(each_postgres: PostgresDatabase) -> Iterator[str]:
    """With the grants of docs/permissions.md and nothing more."""
    each_postgres.sql("CREATE ROLE console LOGIN")
    each_postgres.sql("CREATE ROLE app LOGIN")
    each_postgres.sql("GRANT pg_monitor, pg_signal_backend TO console")
    each_postgres.sql("GRANT ALL ON SCHEMA public TO app")
    yield "console"
    each_postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('app', 'console')")
    for role in ("app", "console"):
        each_postgres.sql(f"DROP OWNED BY {role}")
        each_postgres.sql(f"DROP ROLE {role}")


def test_the_documented_grants_are_enough_and_reach_no_superuser(
    each_postgres: PostgresDatabase, people: Sessions, door: Door, small_account: str
) -> None:
    door.server.credentials.update(username=small_account)
    pid, of_root = send(each_postgres, people.begin("app-1", user="app")), send(each_postgres, people.begin("app-root"))
    with pytest.raises(NotPermitted, match="belongs to the superuser postgres"):
        door.plans(KEY, session=ref(each_postgres, of_root))
    assert door.does(KEY, session=ref(each_postgres, pid)).state == "done"
    assert runs(each_postgres, of_root)


@pytest.mark.parametrize(
    ("revoked", "missing"), [("pg_signal_backend", "pg_signal_backend"), ("pg_monitor", "pg_monitor")]
)
def test_a_missing_grant_is_named(
    postgres_database: PostgresDatabase, alice: Operator, private_folders: None, revoked: str, missing: str
) -> None:
    at = Door(actor=actor_for(alice), server=register_postgres(postgres_database))
    postgres_database.sql("CREATE ROLE app LOGIN")
    postgres_database.sql("CREATE ROLE console LOGIN")
    try:
        postgres_database.sql("GRANT pg_monitor, pg_signal_backend TO console")
        postgres_database.sql(f"REVOKE {revoked} FROM console")
        at.server.credentials.update(username="console")
        with sessions(postgres_database) as made:
            pid = send(postgres_database, made.begin("app-1", user="app"))
            with pytest.raises(NotPermitted) as refused:
                at.plans(KEY, session=ref(postgres_database, pid))
            assert refused.value.missing == f'GRANT {missing} TO "console";'
            assert runs(postgres_database, pid)
    finally:
        postgres.forget_connections()
        postgres_database.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('app', 'console')"
        )
        for role in ("app", "console"):
            postgres_database.sql(f"DROP ROLE {role}")


@pytest.mark.parametrize("text", TEXTS)
def test_what_names_no_session_is_refused(
    postgres_database: PostgresDatabase, alice: Operator, private_folders: None, text: str
) -> None:
    at = Door(actor=actor_for(alice), server=register_postgres(postgres_database))
    with pytest.raises(EngineError):
        at.plans(KEY, session=text)


def test_a_node_that_is_not_registered_is_refused(
    postgres_database: PostgresDatabase, alice: Operator, private_folders: None
) -> None:
    at = Door(actor=actor_for(alice), server=register_postgres(postgres_database))
    with pytest.raises(Gone, match="not among the registered"):
        at.plans(KEY, session="1 of 2026-01-01 00:00:00.000000 UTC", node="10.9.9.9:5432")


@pytest.mark.parametrize(
    ("statement", "word"),
    [("CREATE INDEX CONCURRENTLY beside ON stock (qty)", "invalid index"), (SLEEP, "")],
)
def test_what_it_leaves_behind_is_warned_of(
    postgres_database: PostgresDatabase, alice: Operator, private_folders: None, statement: str, word: str
) -> None:
    at = Door(actor=actor_for(alice), server=register_postgres(postgres_database))
    with sessions(postgres_database) as made:
        made.begin("app-holder", UPDATE.format(1))
        waits = made.begin("app-builds", "COMMIT")
        pid = send(postgres_database, waits, statement)
        said = content_of(at.plans(KEY, session=ref(postgres_database, pid)))
        assert bool(said.warnings) == bool(word) and word in str(said.warnings)

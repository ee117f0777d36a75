"""One session is ended: the one that was chosen, with what it had not committed, and no other."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.activity.identity import SessionRef
from apps.engine.connections import postgres
from apps.engine.contracts.action import Refused
from apps.engine.errors import Gone, NotPermitted
from apps.operations.planning import content_of
from tests.activity.held import Held, eventually, everybody, is_there, ref, send
from tests.activity.locks import Sessions, sessions
from tests.operations.door import Door, actor_for, outcome_of, register_postgres
from tests.operations.scenario import Scenario
from tests.real_servers import PostgresDatabase

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "activity.terminate_session"
HELD = Held()
UPDATE = "UPDATE stock SET qty = 777 WHERE sku = {}"
pids: dict[str, int] = {}


def _prepare(database: PostgresDatabase) -> dict[str, Any]:
    made = HELD.sessions(database)
    for name in ("app-forgotten", "app-beside"):
        pids[name] = made.begin(name, UPDATE.format(1 if name == "app-forgotten" else 2)).info.backend_pid
    return {"session": ref(database, pids["app-forgotten"])}


def _changed(database: PostgresDatabase) -> bool:
    return not is_there(database, pids["app-forgotten"]) and is_there(database, pids["app-beside"])


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


def test_the_root_of_a_blocking_tree_is_ended_and_who_waited_goes_on(
    each_postgres: PostgresDatabase, people: Sessions, door: Door
) -> None:
    root = people.begin("app-<script>x</script>", UPDATE.format(1), "UPDATE stock SET qty = 1 WHERE sku = 9")
    first = people.begin("app-first", UPDATE.format(2))
    people.wait(first, UPDATE.format(1))
    second = people.begin("app-second")
    people.wait(second, UPDATE.format(2))
    pid = root.info.backend_pid
    plan = door.plans(KEY, session=ref(each_postgres, pid))
    said = content_of(plan)
    assert figures(said)["Sessions let go on"] == 2, "who waits behind one that waits is among them"
    assert (figures(said)["Locks on tables let go"] or 0) >= 1
    assert "all changes of its transaction" in str(said.facts) and "777" not in str(plan.content)
    run = door.carries_out(door.submits(plan))
    assert run.state == "done", run.outcome
    assert (figures(outcome_of(run))["Let go on"] or 0) >= 1
    assert not is_there(each_postgres, pid)
    assert is_there(each_postgres, first.info.backend_pid) and is_there(each_postgres, second.info.backend_pid)
    assert each_postgres.sql("SELECT qty FROM stock WHERE sku = 9") == [(0,)], "it was rolled back"


def test_who_also_waits_for_others_is_counted_apart(
    each_postgres: PostgresDatabase, people: Sessions, door: Door
) -> None:
    one = people.begin("app-one", "LOCK TABLE stock IN ROW EXCLUSIVE MODE")
    people.begin("app-two", "LOCK TABLE stock IN ROW EXCLUSIVE MODE")
    people.wait(people.begin("app-alters"), "ALTER TABLE stock ADD COLUMN bin text")
    said = content_of(door.plans(KEY, session=ref(each_postgres, one.info.backend_pid)))
    assert figures(said)["Sessions let go on"] == 0
    assert "1 more wait for others besides" in str(said.figures)


def test_an_idle_session_loses_nothing(each_postgres: PostgresDatabase, people: Sessions, door: Door) -> None:
    pid = people.begin("app-idle", "COMMIT").info.backend_pid
    said = content_of(door.plans(KEY, session=ref(each_postgres, pid)))
    assert "it is in no transaction" in str(said.facts)
    assert door.does(KEY, session=ref(each_postgres, pid)).state == "done"
    assert not is_there(each_postgres, pid)


def test_one_that_left_by_itself_is_told(each_postgres: PostgresDatabase, people: Sessions, door: Door) -> None:
    leaving = people.begin("app-leaving")
    pid = leaving.info.backend_pid
    plan = door.plans(KEY, session=ref(each_postgres, pid))
    leaving.close()
    eventually(lambda: not is_there(each_postgres, pid))
    run = door.carries_out(door.submits(plan))
    assert run.state == "failed" and "Nothing was done" in run.outcome


def test_a_process_id_that_came_again_is_not_hit(each_postgres: PostgresDatabase, people: Sessions, door: Door) -> None:
    """The server cannot be made to give a process id again: a session that began a microsecond beside stands for it."""
    from apps.activity import signalling
    from apps.engine.connections.postgres import writing_session

    pid = people.begin("app-other").info.backend_pid
    real = SessionRef.of(ref(each_postgres, pid))
    former = SessionRef(pid=pid, begun_at=real.begun_at - timedelta(microseconds=1))
    with pytest.raises(Gone, match="ended by itself"):
        door.plans(KEY, session=former.text)

    class Unasked:
        def check(self) -> None: ...

    with writing_session(door.server.target(), name="test") as node, pytest.raises(Gone, match="Nothing was ended"):
        signalling.terminate(node, former, Unasked())  # type: ignore[arg-type]
    assert is_there(each_postgres, pid)


def test_one_that_has_written_for_long_since_the_plan_is_left_alone(
    postgres_database: PostgresDatabase, alice: Operator, private_folders: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.activity.actions import terminate_session

    at = Door(actor=actor_for(alice), server=register_postgres(postgres_database))
    with sessions(postgres_database) as made:
        session = made.begin("app-busy", "COMMIT")
        pid = session.info.backend_pid
        plan = at.plans(KEY, session=ref(postgres_database, pid))
        session.execute("BEGIN")
        session.execute(UPDATE.format(1))
        monkeypatch.setattr(terminate_session, "YOUNG_S", 0.0)
        run = at.carries_out(at.submits(plan))
        assert run.state == "failed" and "Changes that would be rolled back" in run.outcome
        assert is_there(postgres_database, pid)


def test_one_that_does_not_hear_it_is_said_to_be_there(
    postgres_database: PostgresDatabase, alice: Operator, private_folders: None
) -> None:
    at = Door(actor=actor_for(alice), server=register_postgres(postgres_database))
    with sessions(postgres_database) as made:
        pid = send(postgres_database, made.begin("app-frozen"))
        os.kill(pid, signal.SIGSTOP)
        try:
            run = at.does(KEY, session=ref(postgres_database, pid))
            assert run.state == "partial" and "still there after 2 s" in run.outcome
        finally:
            os.kill(pid, signal.SIGCONT)
        eventually(lambda: not is_there(postgres_database, pid))


def test_the_consoles_own_sessions_are_refused(each_postgres: PostgresDatabase, people: Sessions, door: Door) -> None:
    for name in ("signalbox", "signalbox run 17"):
        pid = people.begin(name).info.backend_pid
        with pytest.raises(Refused, match="of this console"):
            door.plans(KEY, session=ref(each_postgres, pid))
        assert is_there(each_postgres, pid)


def test_processes_that_serve_no_client_are_refused(each_postgres: PostgresDatabase, door: Door) -> None:
    others = each_postgres.sql(
        "SELECT pid, backend_start FROM pg_stat_activity WHERE backend_type <> 'client backend' AND backend_start IS NOT NULL"
    )
    assert others
    for pid, begun_at in others:
        with pytest.raises(Refused, match="serves no client"):
            door.plans(KEY, session=SessionRef(pid=pid, begun_at=begun_at).text)
        assert is_there(each_postgres, pid)


def test_another_roles_superuser_is_refused_with_the_reason(
    each_postgres: PostgresDatabase, people: Sessions, door: Door
) -> None:
    each_postgres.sql("CREATE ROLE console LOGIN")
    each_postgres.sql("GRANT pg_monitor, pg_signal_backend TO console")
    try:
        door.server.credentials.update(username="console")
        pid = people.begin("app-root").info.backend_pid
        with pytest.raises(NotPermitted, match="does not reach superusers"):
            door.plans(KEY, session=ref(each_postgres, pid))
        assert is_there(each_postgres, pid)
    finally:
        postgres.forget_connections()
        each_postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'console'")
        each_postgres.sql("DROP ROLE console")
